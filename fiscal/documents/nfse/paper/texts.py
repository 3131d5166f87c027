"""What the codes of municipal notes mean, as people read them."""

from __future__ import annotations

# ABRASF 2.x, tsExigibilidadeISS.
EXIGIBILITY = {
    "1": "Exigível",
    "2": "Não incidência",
    "3": "Isenção",
    "4": "Exportação",
    "5": "Imunidade",
    "6": "Suspensa por decisão judicial",
    "7": "Suspensa por processo administrativo",
}
# ABRASF 1.00, tsNaturezaOperacao; also natureza_operacao of our body (fiscal-api §4.2).
NATURES = {
    "1": "Tributação no município",
    "2": "Tributação fora do município",
    "3": "Isenção",
    "4": "Imune",
    "5": "Exigibilidade suspensa por decisão judicial",
    "6": "Exigibilidade suspensa por processo administrativo",
}
REGIMES = {
    "1": "Microempresa municipal",
    "2": "Estimativa",
    "3": "Sociedade de profissionais",
    "4": "Cooperativa",
    "5": "Microempresário individual (MEI)",
    "6": "Microempresa ou empresa de pequeno porte (ME EPP)",
}
# São Paulo, TributacaoNFe (manual 3.3.4).
SAO_PAULO = {
    "T": "Tributado em São Paulo",
    "F": "Tributado fora de São Paulo",
    "A": "Tributado em São Paulo, porém isento",
    "B": "Tributado fora de São Paulo, porém isento",
    "D": "Tributado em São Paulo, com isenção parcial",
    "M": "Tributado em São Paulo, com imunidade subjetiva",
    "N": "Tributado fora de São Paulo, com imunidade subjetiva",
    "R": "Tributado em São Paulo, com imunidade objetiva",
    "S": "Tributado fora de São Paulo, com imunidade objetiva",
    "X": "Tributado em São Paulo, com exigibilidade suspensa",
    "V": "Tributado fora de São Paulo, com exigibilidade suspensa",
    "P": "Exportação de serviços",
}
RPS_KINDS = {"1": "RPS", "2": "nota conjugada", "3": "cupom"}
# What a note says where the fields of its city have no place for it (LC 123/2006).
SIMPLES = "Documento emitido por ME ou EPP optante pelo Simples Nacional."


def named(table: dict[str, str], code: str) -> str:
    return table.get(code, code)
