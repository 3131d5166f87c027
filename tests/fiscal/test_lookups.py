"""Lists of codes, municipalities, and the operator's CEP and CNPJ directories (fiscal-api §17)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from support.v2 import v2

from accounts.models import ApiToken
from accounts.services.tokens import create_token
from fiscal.tables import directories, places, registers
from lib import br

pytestmark = pytest.mark.django_db


@pytest.fixture
def data_dir(settings, tmp_path) -> Path:
    """A data folder of this test's own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


def refresh(*args: object, **options: object) -> str:
    out = StringIO()
    call_command("refresh_tables", *map(str, args), stdout=out, **options)
    return out.getvalue()


def table(path: Path, rows: list[list[str]], separator: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


@contextmanager
def fresh_places() -> Iterator[None]:
    """The engine's own municipalities as a process that starts now reads them."""
    kept = (places.municipalities, places._by_code)
    for one in kept:
        one.cache_clear()
    yield
    for one in kept:
        one.cache_clear()


def found(answer, field: str = "codigo") -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row[field] for row in answer.json()]


# --- who may ask ---------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", ["ncms", "cfops", "codigos_cnae", "municipios"])
def test_every_token_of_v2_may_look_up_in_both_environments(
    nfe, nfe_token_producao, master, resource
):
    answers = [client.get(resource) for client in (nfe, v2(nfe_token_producao), master)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert "Rate-Limit-Remaining" in answers[0]


def test_a_token_of_another_product_may_not(account):
    _, raw = create_token(account, name="cobrança", scope=ApiToken.Scope.BILLING)

    assert v2(raw).get("ncms").json()["codigo"] == "permissao_negada"
    assert v2().get("ncms").status_code == 401


# --- NCM -----------------------------------------------------------------------------------------


def test_an_ncm_is_taken_apart(nfe):
    answer = nfe.get("ncms/90049020")

    assert answer.json() == {
        "codigo": "90049020",
        "descricao_completa": answer.json()["descricao_completa"],
        "capitulo": "90",
        "posicao": "04",
        "subposicao1": "9",
        "subposicao2": "0",
        "item1": "2",
        "item2": "0",
    }
    assert answer.json()["descricao_completa"].endswith("Óculos de segurança")
    assert nfe.get("ncms/9004.90.20").json() == answer.json()


def test_ncms_come_fifty_at_a_time_in_their_order(nfe):
    first, second = nfe.get("ncms"), nfe.get("ncms", offset=50)

    assert len(found(first)) == len(found(second)) == 50
    assert found(first) == sorted(found(first))
    assert found(first)[-1] < found(second)[0]
    assert first["X-Total-Count"] == second["X-Total-Count"]
    assert int(first["X-Total-Count"]) > 10_000
    assert nfe.get("ncms", offset=999_999).json() == []


def test_ncms_are_narrowed_by_each_parameter(nfe):
    by_start = found(nfe.get("ncms", codigo="9004"))
    by_parts = found(nfe.get("ncms", capitulo="90", posicao="04"))
    exact = found(
        nfe.get(
            "ncms", capitulo="90", posicao="04", subposicao1="9", subposicao2="0", item1="2",
            item2="0",
        )
    )  # fmt: skip

    assert by_start == by_parts
    assert "90049020" in by_start
    assert exact == ["90049020"]
    assert found(nfe.get("ncms", codigo="004")) == []  # begins with, not contains
    assert found(nfe.get("ncms", capitulo="9")) == []


def test_descriptions_are_found_without_accents_and_case(nfe):
    plain = nfe.get("ncms", descricao="oculos de SEGURANCA")

    assert "90049020" in found(plain)
    assert plain.json() == nfe.get("ncms", descricao="Óculos de segurança").json()
    assert found(nfe.get("ncms", descricao="oculos de seguranca", capitulo="01")) == []


def test_a_code_that_does_not_exist_is_not_found(nfe):
    for path, text in {
        "ncms/00000001": "NCM não encontrado",
        "cfops/5199": "CFOP não encontrado",
        "codigos_cnae/0000000": "CNAE não encontrado",
        "municipios/9999999": "Município não encontrado",
        "municipios/3550308/itens_lista_servico/99.01": "Item da lista de serviço não encontrado",
    }.items():
        answer = nfe.get(path)
        assert answer.status_code == 404
        assert answer.json() == {"codigo": "nao_encontrado", "mensagem": text}


@pytest.mark.parametrize("offset", ["-1", "abc", "1.5", "9" * 12])
def test_an_offset_that_is_no_number_is_refused(nfe, offset):
    answer = nfe.get("ncms", offset=offset)

    assert answer.status_code == 400
    assert answer.json()["codigo"] == "requisicao_invalida"


def test_only_reading_is_possible(nfe):
    answer = nfe.post("ncms", {})

    assert (answer.status_code, answer.json()["mensagem"]) == (404, "Utilize o método GET.")


# --- CFOP, CNAE ----------------------------------------------------------------------------------


def test_a_cfop_begins_with_its_code(nfe):
    one = nfe.get("cfops/5102").json()

    assert one["codigo"] == "5102"
    assert one["descricao"].startswith("5102 - Venda de mercadoria")
    assert set(found(nfe.get("cfops", codigo="510"))) >= {"5101", "5102", "5103"}
    assert "5102" in found(nfe.get("cfops", descricao="VENDA DE MERCADORIA adquirida", codigo="5"))


def test_every_cfop_digit_has_codes(nfe):
    starts = {digit: int(nfe.get("cfops", codigo=digit)["X-Total-Count"]) for digit in "12356748"}

    assert [starts[digit] for digit in "48"] == [0, 0]
    assert min(starts[digit] for digit in "123567") > 20


def test_a_cnae_tells_its_levels(nfe):
    assert nfe.get("codigos_cnae/8599603").json() == {
        "codigo": "8599603",
        "descricao": "Treinamento em informática",
        "secao": "P",
        "descricao_secao": "EDUCAÇÃO",
        "divisao": "85",
        "descricao_divisao": "EDUCAÇÃO",
        "grupo": "9",
        "descricao_grupo": "Outras atividades de ensino",
        "classe": "9",
        "descricao_classe": "Atividades de ensino não especificadas anteriormente",
        "subclasse": "03",
        "descricao_subclasse": "Treinamento em informática",
        "codigo_formatado": "8599-6/03",
    }


def test_cnaes_are_searched_by_part_and_by_level(nfe):
    everything = nfe.get("codigos_cnae")

    assert everything["X-Total-Count"] == "1332"  # CNAE-Subclasses 2.3
    assert "8599603" in found(nfe.get("codigos_cnae", descricao="informatica"))
    assert "8599603" in found(nfe.get("codigos_cnae", codigo="99603"))
    assert "8599603" in found(nfe.get("codigos_cnae", codigo="8599-6"))
    level = nfe.get("codigos_cnae", divisao="85", grupo="9", classe="9")
    assert {row["descricao_classe"] for row in level.json()} == {
        "Atividades de ensino não especificadas anteriormente"
    }
    assert found(nfe.get("codigos_cnae", descricao_secao="educacao", subclasse="03")) == [
        code for code in found(nfe.get("codigos_cnae", secao="P")) if code.endswith("03")
    ]
    assert nfe.get("codigos_cnae", divisao="8").json() == []


def test_the_shipped_lists_are_whole_and_clean():
    for name, kind in registers.KINDS.items():
        rows = registers.read_rows(registers.current_file(name).read_bytes())
        assert [kind.fault(row) for row in rows if kind.fault(row)] == []
        assert len(registers.register(name).entries) >= kind.least
        assert len({row["codigo"] for row in rows}) == len(rows)


# --- municipalities ------------------------------------------------------------------------------


def test_a_municipality_tells_how_its_service_notes_are_taken(nfe):
    name = {"sigla_uf": "SP", "nome_uf": "São Paulo"}
    assert nfe.get("municipios/3550308").json() == {
        "codigo_municipio": "3550308",
        "nome_municipio": "São Paulo",
        **name,
        "nfse_habilitada": True,
        "status_nfse": "ativo",
        "requer_certificado_nfse": True,
        "possui_ambiente_homologacao_nfse": False,
        "possui_cancelamento_nfse": True,
        "provedor_nfse": "Nota do Milhão",
        "endereco_obrigatorio_nfse": None,
        "cpf_cnpj_obrigatorio_nfse": False,
        "codigo_cnae_obrigatorio_nfse": False,
        "item_lista_servico_obrigatorio_nfse": False,
        "codigo_tributario_municipio_obrigatorio_nfse": True,
        "data_previsao_reimplementacao_nfse": None,
        "ultima_emissao_nfse": None,
    }
    assert nfe.get("municipios/3500105").json() == {
        "codigo_municipio": "3500105",
        "nome_municipio": "Adamantina",
        **name,
        "nfse_habilitada": False,
        "status_nfse": "nao_implementado",
    }


def test_municipalities_are_searched_by_uf_name_and_status(nfe):
    of_uf = nfe.get("municipios", sigla_uf="sp")
    by_part = nfe.get("municipios", nome="sao paulo")
    exact = nfe.get("municipios", nome_municipio="sao paulo")

    assert len(of_uf.json()) == 100
    assert of_uf["X-Total-Count"] == "645"
    assert int(by_part["X-Total-Count"]) > 1
    assert found(exact, "codigo_municipio") == ["3550308"]
    assert len(nfe.get("municipios", sigla_uf="SP", limit="7").json()) == 7
    served = nfe.get("municipios", status_nfse="ativo").json()
    assert {"3550308", "3543402"} <= {one["codigo_municipio"] for one in served}
    assert all(one["nfse_habilitada"] for one in served)
    assert int(nfe.get("municipios", status_nfse="nao_implementado")["X-Total-Count"]) > 5_500


@pytest.mark.parametrize("query", [{"status_nfse": "talvez"}, {"limit": "0"}, {"limit": "x"}])
def test_a_wrong_parameter_of_municipalities_is_refused(nfe, query):
    answer = nfe.get("municipios", **query)

    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["mensagem"]


def test_a_municipality_that_is_served_lists_the_items_of_lc_116(nfe):
    whole = nfe.get("municipios/3550308/itens_lista_servico")
    assert (len(whole.json()), whole["X-Total-Count"]) == (100, "200")
    rest = nfe.get("municipios/3550308/itens_lista_servico", offset="100").json()
    codes = [one["codigo"] for one in (*whole.json(), *rest)]
    assert codes == sorted(set(codes))
    # Those that LC 157/2016 and LC 183/2021 added; those that were vetoed are none.
    assert {"01.09", "06.06", "11.05", "14.14", "16.02", "17.25", "25.05"} <= set(codes)
    assert not {"03.01", "07.14", "07.15", "13.01", "17.07"} & set(codes)
    for written in ("01.07", "1.07", "0107", "107"):
        one = nfe.get(f"municipios/3550308/itens_lista_servico/{written}").json()
        assert one["codigo"] == "01.07"
        assert one["descricao"].startswith("Suporte técnico em informática")
        assert one["tax_rate"] is None
    for wanted, n in (
        ({"codigo": "01"}, 9), ({"codigo": "1."}, 9), ({"codigo": "1.0"}, 9),
        ({"codigo": "9999"}, 0), ({"descricao": "LEASING"}, 2),
        ({"codigo": "15", "descricao": "leasing"}, 1),
    ):  # fmt: skip
        found = nfe.get("municipios/3550308/itens_lista_servico", **wanted)
        assert (len(found.json()), found["X-Total-Count"]) == (n, str(n)), wanted
    # Not implemented here, so nothing is told of its list.
    assert nfe.get("municipios/4106902/itens_lista_servico").json() == []
    assert nfe.get("municipios/4106902/itens_lista_servico/01.07").status_code == 404
    missing = nfe.get("municipios/1234567/itens_lista_servico").json()
    assert missing["mensagem"] == "Município não encontrado"


def test_the_own_codes_of_a_municipality_have_no_common_source(nfe):
    answer = nfe.get("municipios/3550308/codigos_tributarios_municipio", descricao="transporte")

    assert (answer.json(), answer["X-Total-Count"]) == ([], "0")
    assert nfe.get("municipios/3550308/codigos_tributarios_municipio/1").status_code == 404
    assert nfe.get("municipios/1234567/codigos_tributarios_municipio").status_code == 404


# --- newer lists ---------------------------------------------------------------------------------


def siscomex(n: int, **more: str) -> dict[str, object]:
    """The official JSON with `n` items under one heading."""
    levels = [
        {"Codigo": "01", "Descricao": "Animais vivos."},
        {"Codigo": "01.01", "Descricao": "Cavalos, <i>vivos</i>."},
        {"Codigo": "0101.2", "Descricao": "- Cavalos:"},
    ]
    items = [
        {"Codigo": f"0101.{at // 100 + 20:02d}.{at % 100:02d}", "Descricao": f"-- Item &amp; {at}"}
        for at in range(n)
    ]
    return {"Data_Ultima_Atualizacao_NCM": "Vigente", "Nomenclaturas": [*levels, *items]} | more


def test_the_official_ncm_file_takes_the_place_of_the_shipped_one(nfe, data_dir, monkeypatch):
    monkeypatch.setitem(
        registers.KINDS, "ncm", registers.Kind(**{**vars(registers.KINDS["ncm"]), "least": 300})
    )
    file = data_dir / "Tabela_NCM.json"
    file.write_text(json.dumps(siscomex(300)))

    assert refresh("ncm", file) == "ncm: 300 códigos.\n"

    assert nfe.get("ncms")["X-Total-Count"] == "300"
    assert (
        nfe.get("ncms/01012007").json()["descricao_completa"] == "Cavalos, vivos. Cavalos: Item & 7"
    )
    assert refresh("ncm", shipped=True) == "ncm: voltou à tabela de fábrica.\n"
    assert nfe.get("ncms/90049020").status_code == 200
    assert refresh("ncm", shipped=True) == "ncm: já era a tabela de fábrica.\n"


def test_a_municipality_that_is_added_is_known_at_once(nfe, data_dir):
    rows = registers.read_rows(registers.current_file("municipios").read_bytes())
    lines = [[row["uf"], row["nome"], row["codigo"]] for row in rows]
    lines.append(["MT", "Boa Esperança do Norte do Teste", "5199999"])
    file = table(data_dir / "novo.csv", [["UF", "Nome", "Codigo"], *lines], ";")

    refresh("municipios", file)

    assert nfe.get("municipios/5199999").json()["nome_uf"] == "Mato Grosso"
    assert int(nfe.get("municipios")["X-Total-Count"]) == len(rows) + 1
    with fresh_places():
        assert places.municipality("5199999").uf == "MT"


def test_the_lists_of_ibge_are_read(nfe, data_dir, monkeypatch):
    for name in ("cnae", "municipios"):
        kind = registers.KINDS[name]
        monkeypatch.setitem(registers.KINDS, name, registers.Kind(**{**vars(kind), "least": 1}))
    section = {"id": "P", "descricao": "EDUCAÇÃO"}
    group = {
        "id": "859", "descricao": "Outras", "divisao": {
            "id": "85", "descricao": "EDUCAÇÃO", "secao": section,
        },
    }  # fmt: skip
    subclass = {"id": "8599603", "descricao": "Treinamento em informática"}
    cnae = data_dir / "cnae.json"
    klass = {"id": "85996", "descricao": "Outro ensino", "grupo": group}
    cnae.write_text(json.dumps([subclass | {"classe": klass}]))
    old = {"id": 3550308, "nome": "São Paulo", "microrregiao": {
        "mesorregiao": {"UF": {"sigla": "SP"}},
    }}  # fmt: skip
    new = {"id": 5101837, "nome": "Boa Esperança do Norte", "microrregiao": None,
           "regiao-imediata": {"regiao-intermediaria": {"UF": {"sigla": "MT"}}}}  # fmt: skip
    towns = data_dir / "municipios.json"
    towns.write_text(json.dumps([old, new]))

    refresh("cnae", cnae)
    refresh("municipios", towns)

    assert nfe.get("codigos_cnae/8599603").json()["descricao_classe"] == "Outro ensino"
    assert found(nfe.get("municipios"), "sigla_uf") == ["SP", "MT"]


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("cfop", [["codigo", "descricao"], ["5102", "Venda"]], "pelo menos 500"),
        ("cfop", [["codigo", "texto"], ["5102", "Venda"]], "Faltam as colunas: descricao"),
        ("cfop", [["codigo", "descricao"], ["4102", "Venda"]], "código inválido: 4102"),
        ("cfop", [["codigo", "descricao"], ["5102", ""]], "5102: sem descrição"),
        ("cfop", [["codigo", "descricao"], ["5102", "a"], ["5102", "b"]], "5102: repetido"),
        ("ncm", [["codigo", "descricao"], ["9004.90.20", "x"]], "código inválido"),
        ("cnae", [["codigo", "secao", "descricao"], ["8599603", "P", "x"]], "Falta o nível"),
        ("cnae", [["codigo", "secao", "descricao"], ["8599603", "", "x"]], "seção inválida"),
        ("municipios", [["codigo", "nome", "uf"], ["3550308", "x", "XX"]], "UF inválida"),
        ("cfop", [["codigo", "descricao"], ["5102", "=1+1"]], "Linha 2"),
    ],
)
def test_a_file_that_is_not_the_whole_list_changes_nothing(nfe, data_dir, name, lines, words):
    before = registers.current_file(name)

    with pytest.raises(CommandError, match=words):
        refresh(name, table(data_dir / "errado.csv", lines))

    assert registers.current_file(name) == before
    assert list((data_dir / "tables").glob("*")) == [] if (data_dir / "tables").exists() else True


@pytest.mark.parametrize("content", ["{}", "[1]", '{"Nomenclaturas": [{"Codigo": 1}]}', "[" * 9999])
def test_json_of_another_form_is_refused(data_dir, content):
    file = data_dir / "x.json"
    file.write_text(content)

    for name in ("ncm", "cnae", "municipios", "cfop"):
        with pytest.raises(CommandError):
            refresh(name, file)


def test_the_command_says_what_it_needs(data_dir):
    for args in ([], ["ncm"]):
        with pytest.raises(CommandError, match="Informe"):
            refresh(*args)
    with pytest.raises(CommandError, match="Não foi possível abrir"):
        refresh("ncm", data_dir / "falta.csv")


# --- CEP -----------------------------------------------------------------------------------------

CEP_HEADER = ["CEP", "tipo", "nome", "uf", "localidade", "codigo_ibge", "tipo_logradouro",
              "nome_logradouro", "bairro"]  # fmt: skip
CEP_LINES = [
    ["69909-032", "logradouro", "", "AC", "Rio Branco", "1200401", "Rua", "Colinas", "Rosa Linda"],
    ["69909033", "logradouro", "", "AC", "Rio Branco", "1200401", "Rua", "João 100%", "Centro"],
    ["69945000", "", "", "ac", "Acrelândia", "1200013", "", "", ""],
]


@pytest.fixture
def ceps(data_dir) -> Path:
    refresh(ceps=table(data_dir / "ceps.csv", [CEP_HEADER, *CEP_LINES], ";"))
    return data_dir


def test_a_cep_is_answered_from_the_operator_s_directory(nfe, ceps):
    expected = {
        "cep": "69909032",
        "tipo": "logradouro",
        "nome": "",
        "uf": "AC",
        "nome_localidade": "Rio Branco",
        "codigo_ibge": "1200401",
        "tipo_logradouro": "Rua",
        "nome_logradouro": "Colinas",
        "nome_bairro_inicial": "Rosa Linda",
        "descricao": "Rua Colinas, Rio Branco, AC",
    }

    assert nfe.get("ceps/69909032").json() == expected
    assert nfe.get("ceps/69909-032").json() == expected
    assert nfe.get("ceps", uf="AC", logradouro="colinas").json() == [expected]
    assert nfe.get("ceps/01001000").json() == {
        "codigo": "nao_encontrado",
        "mensagem": "CEP não encontrado",
    }


def test_ceps_are_searched_by_two_parameters_or_by_a_town_of_one(nfe, ceps):
    def codes(**query: str) -> list[str]:
        return found(nfe.get("ceps", **query), "cep")

    assert codes(codigo_ibge="1200013") == ["69945000"]
    assert codes(uf="ac", localidade="ACRELANDIA") == ["69945000"]
    assert codes(codigo_ibge="1200401", logradouro="joao") == ["69909033"]
    assert codes(uf="AC", logradouro="100%") == ["69909033"]
    assert codes(uf="AC", logradouro="___") == []
    assert codes(uf="SP", localidade="Rio") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "ao menos dois"),
        ({"uf": "AC"}, "ao menos dois"),
        ({"codigo_ibge": "1200401"}, "mais de um CEP"),
        ({"uf": "AC", "logradouro": "Ru"}, "ao menos 3 caracteres"),
    ],
)
def test_too_little_to_search_by_is_refused(nfe, ceps, query, words):
    answer = nfe.get("ceps", **query)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert words in answer.json()["mensagem"]


def test_without_a_directory_nothing_is_found(nfe, data_dir):
    for path, query in (
        ("ceps/69909032", {}),
        ("ceps", {"uf": "AC", "logradouro": "Colinas"}),
        ("cnpjs/11222333000181", {}),
    ):
        answer = nfe.get(path, **query)
        assert (answer.status_code, answer.json()["codigo"]) == (404, "nao_encontrado")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["123", "", "", "AC", "X", "", "", "", ""], "Linha 2: CEP inválido"),
        (["69909032", "", "", "ZZ", "X", "", "", "", ""], "Linha 2: UF inválida"),
        (["69909032", "rua", "", "AC", "X", "", "", "", ""], "Linha 2: tipo deve ser"),
        (["69909032", "", "", "AC", "", "", "", "", ""], "Linha 2: sem localidade"),
    ],
)
def test_a_wrong_line_leaves_the_directory_as_it_was(nfe, ceps, line, words):
    with pytest.raises(CommandError, match=words):
        refresh(ceps=table(ceps / "errado.csv", [CEP_HEADER, line]))

    assert nfe.get("ceps/69909032").status_code == 200
    assert [file.name for file in (ceps / "tables").iterdir()] == ["ceps.sqlite3"]


def test_a_later_import_takes_the_place_of_the_first(nfe, ceps):
    refresh(ceps=table(ceps / "novo.csv", [CEP_HEADER, CEP_LINES[2]]))

    assert nfe.get("ceps/69909032").status_code == 404
    assert nfe.get("ceps/69945000").status_code == 200


# --- CNPJ ----------------------------------------------------------------------------------------

LETTERED = "12ABC34501DE35"


def test_a_cnpj_is_answered_from_the_operator_s_directory(nfe, master, data_dir):
    header = [*directories.CNPJS.columns]
    line = dict.fromkeys(header, "") | {
        "cnpj": "07.504.505/0001-32", "razao_social": "ACRAS TECNOLOGIA DA INFORMACAO LTDA",
        "situacao_cadastral": "ativa", "cnae_principal": "6209100",
        "optante_simples_nacional": "N", "optante_mei": "", "codigo_siafi": "7535",
        "codigo_ibge": "4106902", "nome_municipio": "CURITIBA", "logradouro": "XV DE NOVEMBRO",
        "complemento": "Conj 602", "numero": "1234", "bairro": "CENTRO", "cep": "80060-000",
        "uf": "PR",
    }  # fmt: skip
    other = dict.fromkeys(header, "") | {"cnpj": LETTERED, "razao_social": "Letras Ltda"}
    lines = [header, list(line.values()), list(other.values())]

    assert refresh(cnpjs=table(data_dir / "cnpjs.csv", lines)) == "cnpjs: 2 registros.\n"

    assert master.get("cnpjs/07504505000132").json() == {
        "razao_social": "ACRAS TECNOLOGIA DA INFORMACAO LTDA",
        "cnpj": "07504505000132",
        "situacao_cadastral": "ativa",
        "cnae_principal": "6209100",
        "optante_simples_nacional": False,
        "optante_mei": None,
        "endereco": {
            "codigo_municipio": "7535",
            "codigo_siafi": "7535",
            "codigo_ibge": "4106902",
            "nome_municipio": "CURITIBA",
            "logradouro": "XV DE NOVEMBRO",
            "complemento": "Conj 602",
            "numero": "1234",
            "bairro": "CENTRO",
            "cep": "80060000",
            "uf": "PR",
        },
    }
    assert br.is_cnpj(LETTERED)
    assert nfe.get(f"cnpjs/{LETTERED}").json()["razao_social"] == "Letras Ltda"
    assert nfe.get("cnpjs/11222333000181").status_code == 404


@pytest.mark.parametrize("text", ["123", "07.504.505", "1122233300018X", "12abc34501de35"])
def test_what_is_no_cnpj_is_refused(nfe, data_dir, text):
    answer = nfe.get(f"cnpjs/{text}")

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
