"""Names of schemas and the files they are read from."""

from __future__ import annotations

_NFE = "nfe/schemas/v4_0"
_GENERIC = "nfe_evento_generico/schemas/v1_0"
_DISTRIBUTION = "nfe_dist_dfe/schemas/v1_0"
_CANCEL = "nfe_evento_cancel/schemas/v1_0"
_CCE = "nfe_evento_cce/schemas/v1_0"
_MANIFEST = "nfe_evento_mde/schemas/v1_0"
_EPEC = "nfe_epec/schemas/v1_0"
_ACTOR = "nfe_ator_interessado/schemas/v1_0"
_DELIVERY = "nfe_entrega/schemas/v1_0"
_FAILURE = "nfe_insucesso/schemas/v1_0"
_OURS = "fiscal/eventos"
_NATIONAL = "nfse/schemas/v1_0"

# fmt: off
_NFE_NAMES = (
    "nfe", "enviNFe", "procNFe", "consReciNFe", "consSitNFe", "consStatServ", "inutNFe",
    "procInutNFe", "retEnviNFe", "retConsReciNFe", "retConsSitNFe", "retConsStatServ", "retInutNFe",
)
# fmt: on

# National NFS-e; `eventoNfse` because `evento` is that of NF-e.
_NATIONAL_FILES = {
    "DPS": "DPS_v1.01.xsd",
    "NFSe": "NFSe_v1.01.xsd",
    "pedRegEvento": "pedRegEvento_v1.01.xsd",
    "eventoNfse": "evento_v1.01.xsd",
    "CNC": "CNC_v1.00.xsd",
}
# Cities: one file of many roots per version of ABRASF, one file per message in São Paulo, where
# layout 2 has the same names as layout 1.
_ABRASF = {
    "abrasf100": ("fiscal/abrasf_1_00", "nfse.xsd"),
    "abrasf202": ("fiscal/abrasf_2_02", "nfse_v2_02.xsd"),
    "abrasf204": ("fiscal/abrasf_2_04", "nfse_v2-04.xsd"),
}
# fmt: off
_SAO_PAULO = (
    "PedidoEnvioRPS", "PedidoEnvioLoteRPS", "PedidoCancelamentoNFe", "PedidoConsultaNFe",
    "PedidoConsultaNFePeriodo", "PedidoConsultaLote", "RetornoEnvioRPS", "RetornoEnvioLoteRPS",
    "RetornoCancelamentoNFe", "RetornoConsulta",
)
# fmt: on

# name → (family, file). A family is a folder of the package, or of ours under `fiscal/`.
FILES: dict[str, tuple[str, str]] = {
    **{name: (_NFE, f"{name}_v4.00.xsd") for name in _NFE_NAMES},
    **{name: (_GENERIC, f"{name}_v1.00.xsd") for name in ("envEvento", "procEventoNFe")},
    "retEnvEvento": (_GENERIC, "retEnvEvento_v1.00.xsd"),
    "evento": (_GENERIC, "leiauteEvento_v1.00.xsd"),
    **{
        name: (_DISTRIBUTION, f"{name}_v1.01.xsd")
        for name in ("distDFeInt", "retDistDFeInt", "resNFe", "resEvento")
    },
    # detEvento by type (XSD-2): the specific event files keep Ids of digits alone.
    "e110111": (_CANCEL, "e110111_v1.00.xsd"),
    "e110110": (_CCE, "e110110_v1.00.xsd"),
    "e110140": (_EPEC, "e110140_v1.00.xsd"),
    "e110150": (_ACTOR, "110150_v1.00.xsd"),
    **{name: (_DELIVERY, f"{name}_v1.00.xsd") for name in ("e110130", "e110131")},
    **{
        name: (_OURS, f"{name}.xsd")
        for name in (
            "e110001",
            "e110112",
            "e110750",
            "e110751",
            "e112150",
            "e211128",
            "e211130",
        )
    },
    **dict.fromkeys(("e111500", "e111501"), (_OURS, "e111500.xsd")),
    **dict.fromkeys(("e111502", "e111503"), (_OURS, "e111502.xsd")),
    **{name: (_FAILURE, f"{name}_v1.00.xsd") for name in ("e110192", "e110193")},
    **{
        name: (_MANIFEST, f"{name}_v1.00.xsd")
        for name in ("e210200", "e210210", "e210220", "e210240")
    },
    **{name: (_NATIONAL, filename) for name, filename in _NATIONAL_FILES.items()},
    **_ABRASF,
    **{
        f"sp{name}{layout}": (f"fiscal/paulistana_v0{layout}", f"{name}_v0{layout}.xsd")
        for layout in (1, 2)
        for name in _SAO_PAULO
    },
}

# The generic layout declares the type of `evento` but offers it only inside envEvento.
EVENT_WRAPPER = '<xs:element name="evento" type="TEvento"/>'


def families() -> list[str]:
    """The families in use, each once."""
    return sorted({family for family, _ in FILES.values()})
