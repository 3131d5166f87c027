"""CNAB 240 of boletos as FEBRABAN has it (boleto-pix §6.2, §6.3); banks change parts of it."""

from __future__ import annotations

from billing.gateways.cnab.layout import DOC, DUE, D, Field, N, Record, V

WIDTH = 240
REMESSA, RETORNO = 1, 2


def _record(name: str, *fields: Field) -> Record:
    return Record(name, WIDTH, fields)


def _head(kind: int, *, lot: int | str = "") -> tuple[Field, ...]:
    return (Field("bank", 1, 3, N), Field("lot", 4, 7, N, lot), Field("_kind", 8, 8, N, kind))


def _detail(segment: str) -> tuple[Field, ...]:
    return (
        *_head(3),
        Field("sequence", 9, 13, N),
        Field("segment", 14, 14, value=segment),
        Field("movement", 16, 17, N),
    )


def _account(first: int) -> tuple[Field, ...]:
    """Agency and account, with their check digits, in 20 positions from `first` on."""
    return (
        Field("agency", first, first + 4, N),
        Field("agency_dv", first + 5, first + 5),
        Field("account", first + 6, first + 17, N),
        Field("account_dv", first + 18, first + 18),
        Field("dv", first + 19, first + 19),
    )


FILE_HEADER = _record(
    "header de arquivo",
    *_head(0, lot=0),
    Field("document_kind", 18, 18, N),
    Field("document", 19, 32, DOC),
    Field("agreement", 33, 52),
    *_account(53),
    Field("company", 73, 102),
    Field("bank_name", 103, 132),
    Field("direction", 143, 143, N, REMESSA),
    Field("made_on", 144, 151, D),
    Field("made_at", 152, 157, N),
    Field("number", 158, 163, N),
    Field("version", 164, 166, N, 103),
    Field("density", 167, 171, N),
    Field("bank_use", 172, 191),
    Field("company_use", 192, 211),
)
LOT_HEADER = _record(
    "header de lote",
    *_head(1),
    Field("operation", 9, 9, value="R"),
    Field("service", 10, 11, N, 1),
    Field("version", 14, 16, N, 60),
    Field("document_kind", 18, 18, N),
    Field("document", 19, 33, DOC),
    Field("agreement", 34, 53),
    *_account(54),
    Field("company", 74, 103),
    Field("message_1", 104, 143),
    Field("message_2", 144, 183),
    Field("number", 184, 191, N),
    Field("made_on", 192, 199, D),
    Field("credited_on", 200, 207, D),
)
P = _record(
    "segmento P",
    *_detail("P"),
    *_account(18),
    Field("nosso_numero", 38, 57),
    Field("carteira", 58, 58, N, 1),
    Field("registration", 59, 59, N, 1),
    Field("document_type", 60, 60, value="2"),
    Field("issue", 61, 61, N, 2),
    Field("delivery", 62, 62, value="2"),
    Field("document_number", 63, 77),
    Field("due", 78, 85, D),
    Field("amount", 86, 100, V),
    Field("collecting_agency", 101, 105, N),
    Field("collecting_agency_dv", 106, 106),
    Field("species", 107, 108, N, 2),
    Field("aceite", 109, 109, value="N"),
    Field("issued_on", 110, 117, D),
    Field("interest_code", 118, 118, N, 3),
    Field("interest_on", 119, 126, D),
    Field("interest", 127, 141, V),
    Field("discount_code", 142, 142, N),
    Field("discount_on", 143, 150, D),
    Field("discount", 151, 165, V),
    Field("iof", 166, 180, V),
    Field("abatement", 181, 195, V),
    Field("company_use", 196, 220),
    Field("protest_code", 221, 221, N, 3),
    Field("protest_days", 222, 223, N),
    Field("write_off_code", 224, 224, N, 1),
    Field("write_off_days", 225, 227, N),
    Field("currency", 228, 229, N, 9),
    Field("contract", 230, 239, N),
)
Q = _record(
    "segmento Q",
    *_detail("Q"),
    Field("document_kind", 18, 18, N),
    Field("document", 19, 33, DOC),
    Field("name", 34, 73),
    Field("address", 74, 113),
    Field("district", 114, 128),
    Field("zipcode", 129, 136, N),
    Field("city", 137, 151),
    Field("uf", 152, 153),
    Field("final_document_kind", 154, 154, N),
    Field("final_document", 155, 169, DOC),
    Field("final_name", 170, 209),
    Field("correspondent", 210, 212, N),
    Field("correspondent_number", 213, 232),
)
R = _record(
    "segmento R",
    *_detail("R"),
    Field("discount_2_code", 18, 18, N),
    Field("discount_2_on", 19, 26, D),
    Field("discount_2", 27, 41, V),
    Field("discount_3_code", 42, 42, N),
    Field("discount_3_on", 43, 50, D),
    Field("discount_3", 51, 65, V),
    Field("fine_code", 66, 66, N),
    Field("fine_on", 67, 74, D),
    Field("fine", 75, 89, V),
    Field("payer_note", 90, 99),
    Field("message_3", 100, 139),
    Field("message_4", 140, 179),
)
LOT_TRAILER = _record(
    "trailer de lote",
    *_head(5),
    Field("n_records", 18, 23, N),
    Field("n_titles", 24, 29, N),
    Field("total", 30, 46, V),
    Field("_linked", 47, 115, N),
)
FILE_TRAILER = _record(
    "trailer de arquivo",
    *_head(9, lot=9999),
    Field("n_lots", 18, 23, N),
    Field("n_records", 24, 29, N),
    Field("_accounts", 30, 35, N),
)

# --- retorno -----------------------------------------------------------------------------------

T = _record(
    "segmento T",
    *_detail("T"),
    *_account(18),
    Field("nosso_numero", 38, 57),
    Field("carteira", 58, 58, N),
    Field("document_number", 59, 73),
    Field("due", 74, 81, DUE),
    Field("amount", 82, 96, V),
    Field("receiving_bank", 97, 99, N),
    Field("receiving_agency", 100, 104, N),
    Field("receiving_agency_dv", 105, 105),
    Field("company_use", 106, 130),
    Field("currency", 131, 132, N),
    Field("document_kind", 133, 133, N),
    Field("document", 134, 148, DOC),
    Field("name", 149, 188),
    Field("contract", 189, 198, N),
    Field("fee", 199, 213, V),
    Field("reasons", 214, 223),
)
U = _record(
    "segmento U",
    *_detail("U"),
    Field("additions", 18, 32, V),
    Field("discount", 33, 47, V),
    Field("abatement", 48, 62, V),
    Field("iof", 63, 77, V),
    Field("paid", 78, 92, V),
    Field("credited", 93, 107, V),
    Field("other_costs", 108, 122, V),
    Field("other_credits", 123, 137, V),
    Field("occurred_on", 138, 145, D),
    Field("credited_on", 146, 153, D),
)
