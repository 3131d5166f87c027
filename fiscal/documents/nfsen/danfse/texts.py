"""What the codes of a national NFS-e mean, as its print says it (NT 008: never the number).

Texts are those of the schema's types, shortened to what a cell of 5 or 10 cm holds.
"""

from __future__ import annotations

DASH = "-"

EMITTERS = {"1": "Prestador", "2": "Tomador", "3": "Intermediário"}
# 101 is not in the enumeration of the schema of 02/2026, but in its rules (NAC-14).
STATUSES = {
    "100": "NFS-e Gerada",
    "101": "NFS-e de Substituição Gerada",
    "102": "NFS-e de Decisão Judicial",
    "103": "NFS-e Avulsa",
    "107": "NFS-e MEI",
}
PURPOSES = {"0": "NFS-e regular", "1": "NFS-e de crédito", "2": "NFS-e de débito"}
GENERATORS = {"1": "Prefeitura", "2": "Sistema Nacional da NFS-e"}
ENVIRONMENTS = {"1": "Produção", "2": "Homologação"}
SIMPLES = {
    "1": "Não Optante",
    "2": "Optante - Microempreendedor Individual (MEI)",
    "3": "Optante - Microempresa ou Empresa de Pequeno Porte (ME/EPP)",
}
SIMPLES_REGIMES = {
    "1": "Tributos federais e municipal pelo SN",
    "2": "Tributos federais pelo SN e ISSQN por fora do SN",
    "3": "Tributos federais e municipal por fora do SN",
}
ISSQN = {
    "1": "Operação Tributável",
    "2": "Imunidade",
    "3": "Exportação de Serviço",
    "4": "Não Incidência",
}
SPECIAL_REGIMES = {
    "0": "Nenhum",
    "1": "Ato Cooperado (Cooperativa)",
    "2": "Estimativa",
    "3": "Microempresa Municipal",
    "4": "Notário ou Registrador",
    "5": "Profissional Autônomo",
    "6": "Sociedade de Profissionais",
    "9": "Outros",
}
IMMUNITIES = {
    "0": "Tipo não informado na nota de origem",
    "1": "CF/88, art. 150, VI, a",
    "2": "CF/88, art. 150, VI, b (templos)",
    "3": "CF/88, art. 150, VI, c",
    "4": "CF/88, art. 150, VI, d (livros)",
    "5": "CF/88, art. 150, VI, e (fonogramas)",
}
SUSPENSIONS = {"1": "Decisão Judicial", "2": "Processo Administrativo"}
BENEFITS = {
    "1": "Isenção",
    "2": "Redução da BC em %",
    "3": "Redução da BC em R$",
    "4": "Alíquota Diferenciada",
}
ISSQN_WITHHELD = {
    "1": "Não Retido",
    "2": "Retido pelo Tomador",
    "3": "Retido pelo Intermediário",
}
CONTRIBUTIONS_WITHHELD = {
    "0": "PIS/COFINS/CSLL Não Retidos",
    "1": "PIS/COFINS Retidos",
    "2": "PIS/COFINS Não Retidos",
    "3": "PIS/COFINS/CSLL Retidos",
    "4": "PIS/COFINS Retidos, CSLL Não Retido",
    "5": "PIS Retido, COFINS/CSLL Não Retido",
    "6": "COFINS Retido, PIS/CSLL Não Retido",
    "7": "PIS Não Retido, COFINS/CSLL Retidos",
    "8": "PIS/COFINS Não Retidos, CSLL Retido",
    "9": "COFINS Não Retido, PIS/CSLL Retidos",
}
NO_NIF = {
    "0": "NIF não informado na nota de origem",
    "1": "Dispensado do NIF",
    "2": "Não exigência do NIF",
}


def named(table: dict[str, str], code: str) -> str:
    """The text of a code; a code that the table does not know stands for itself."""
    return table.get(code, code)
