"""The directory of addresses, in the form of ViaCEP: GET /<eight digits>/json/."""

from __future__ import annotations

import re
from collections.abc import Mapping

from billing.sandbox.wire import Reply, StandIn, as_json

_PATH = re.compile(r"/([0-9]{8})/json/?\Z")
# cep → street, district, town, state, IBGE code; a town with one CEP has no street.
PLACES = {
    "01001000": ("Praça da Sé", "Sé", "São Paulo", "SP", "3550308"),
    "01310100": ("Avenida Paulista", "Bela Vista", "São Paulo", "SP", "3550308"),
    "20040002": ("Avenida Rio Branco", "Centro", "Rio de Janeiro", "RJ", "3304557"),
    "30130001": ("Avenida Afonso Pena", "Centro", "Belo Horizonte", "MG", "3106200"),
    "80020000": ("Rua Marechal Deodoro", "Centro", "Curitiba", "PR", "4106902"),
    "90020005": ("Rua dos Andradas", "Centro Histórico", "Porto Alegre", "RS", "4314902"),
    "89160000": ("", "", "Rio do Sul", "SC", "4214805"),
}


class Cep(StandIn):
    """Knows `PLACES`; of any other CEP it says that there is none."""

    name = "cep"

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        asked = _PATH.fullmatch(path)
        if method != "GET" or asked is None:
            return as_json({"erro": "CEP inválido"}, 400)
        found = PLACES.get(asked[1])
        if found is None:
            return as_json({"erro": "true"})
        street, district, town, state, ibge = found
        return as_json(
            {
                "cep": f"{asked[1][:5]}-{asked[1][5:]}", "logradouro": street, "complemento": "",
                "bairro": district, "localidade": town, "uf": state, "ibge": ibge,
            }
        )  # fmt: skip
