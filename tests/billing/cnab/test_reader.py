"""Files as they come: whatever is wrong, every line is told of and nothing raises."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from support.cnab_files import SENDERS, Fact, joined, lines_of, number_of, put, retorno, title

from billing.gateways.cnab.reader import NotRetorno, Reading, entries
from billing.gateways.cnab.reading import MAX_FAULTS, NO_TRAILER, REMESSA, UNRECOGNISED
from billing.gateways.cnab.registry import OF_240, OF_400
from billing.gateways.cnab.titles import Meaning

ITAU, SENDER = OF_240["341"], SENDERS["341"]


def facts(n: int = 3, bank: str = "341") -> list[Fact]:
    return [
        Fact(number_of(bank, at), paid=Decimal("100.00"), payer=f"PAGADOR {at}")
        for at in range(1, n + 1)
    ]


def read(content: bytes):
    reading = Reading(content)
    found = list(entries(reading))
    return reading, found


def texts(reading: Reading) -> list[str]:
    return [one.text for one in reading.faults]


GOOD = lines_of(ITAU, SENDER, facts())
T, U = 2, 3  # of the first fact
SENT = ITAU.write(SENDER, [title("341")], number=1, made_at=datetime(2026, 8, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "content",
    [
        joined(GOOD),
        joined(GOOD, end="\n"),
        joined(GOOD, end="\r"),
        b"\xef\xbb\xbf" + joined(GOOD),
        joined(GOOD) + b"\x1a",
        joined(GOOD).rstrip(b"\r\n"),
        joined(GOOD) + b"\r\n\r\n\x00",
        joined([line + "   " for line in GOOD]),
        joined([GOOD[0].rstrip(), *GOOD[1:-1], GOOD[-1].rstrip()]),
    ],
    ids=["crlf", "lf", "cr", "bom", "eof mark", "no end", "blank lines", "longer", "stripped"],
)
def test_marks_of_editors_change_nothing(content):
    reading, found = read(content)
    assert (texts(reading), [one.paid for one in found]) == ([], [Decimal("100.00")] * 3)


def test_encodings_are_mixed_line_by_line():
    names = ["JOÃO AÇAÍ", "ÉRICA CONCEIÇÃO", "ANTÔNIO MUÑOZ"]
    lines = lines_of(ITAU, SENDER, facts())
    raw = []
    for line in lines:
        raw.append(line.encode("ascii"))
    for at, (name, encoding) in enumerate(zip(names, ("latin-1", "cp850", "utf-8"), strict=True)):
        line = put(lines[2 + 2 * at], 149, name.ljust(30))
        raw[2 + 2 * at] = line.encode(encoding)
    # A program that counted bytes: the right width in bytes, too short in letters.
    reading, found = read(b"\r\n".join(raw) + b"\r\n")
    assert ([one.payer for one in found], texts(reading)) == (names, [])

    cut = put(lines[2], 149, "AÇAÍ".ljust(30)).encode()[:240]
    assert len(cut) == 240
    reading, found = read(joined(lines[:2]) + cut + b"\r\n" + joined(lines[3:]))
    assert (len(found), texts(reading)) == (3, [])


@pytest.mark.parametrize(
    ("damage", "said", "broken"),
    [
        (lambda a: [*a[:T], a[T][:230], *a[U:]], "Linha 3: segmento T: linha de 230 posições", 1),
        (lambda a: [*a[:U], a[U][:200], *a[4:]], "Linha 4: segmento U: linha de 200 posições", 1),
        (lambda a: a[:U] + a[4:], "Linha 3: falta o segmento U depois do segmento T.", 1),
        (lambda a: a[:T] + a[U:], "Linha 3: segmento U sem segmento T antes.", 1),
        (
            lambda a: [*a[:T], put(a[T], 9, "00007"), *a[U:]],
            "Linha 3: sequência 00007, e não 00001",
            0,
        ),
        (
            lambda a: [*a[:U], put(a[U], 78, "0000000000A0000"), *a[4:]],
            "Linha 4: valor pago: “0000",
            1,
        ),
        (lambda a: [*a[:U], put(a[U], 138, "31022026"), *a[4:]], "“31022026” não é uma data", 1),
        (lambda a: [*a[:T], put(a[T], 14, "A"), *a[U:]], "o segmento “A” não é de retorno", 2),
        (lambda a: [*a[:T], put(a[T], 8, "7"), *a[U:]], "Linha 3: tipo de registro “7”.", 2),
        (lambda a: a[:-1], NO_TRAILER, 0),
        (lambda a: [*a, a[T]], "Linha 11: há registros depois do final.", 1),
        (
            lambda a: [*a[:-2], put(a[-2], 18, "000099"), a[-1]],
            "o lote declara 99 registros e tem 8",
            0,
        ),
        (
            lambda a: [*a[:-1], put(a[-1], 24, "000042")],
            "o arquivo declara 42 registros e tem 10",
            0,
        ),
        (lambda a: [*a[:-1], put(a[-1], 18, "000003")], "declara 3 lote(s) e tem 1", 0),
        (lambda a: [*a[:-1], put(a[-1], 24, "ABCDEF")], "“ABCDEF” não é um número", 0),
    ],
)
def test_every_fault_has_its_line_and_loses_nothing(damage, said, broken):
    reading, found = read(joined(damage(GOOD)))

    assert any(said in text for text in texts(reading)), texts(reading)
    unread = [one for one in found if one.fault]
    assert len(unread) == broken
    assert {one.meaning for one in unread} <= {Meaning.UNKNOWN}
    # What is whole is read all the same.
    assert sum(one.paid for one in found if not one.fault) >= Decimal("200.00")


def test_a_missing_u_matters_only_to_money():
    fact = Fact(number_of("341", 1), occurrence="02")
    lines = lines_of(ITAU, SENDER, [fact])
    reading, (entry,) = read(joined([*lines[:3], *lines[4:]]))
    assert (entry.meaning, entry.fault) == (Meaning.REGISTERED, "")
    assert "Linha 3: falta o segmento U" in texts(reading)[0]


def test_a_total_that_does_not_agree_is_seen():
    wrong = put(GOOD[-2], 30, "00000000000099999")
    reading, _ = read(joined([*GOOD[:-2], wrong, GOOD[-1]]))
    assert (reading.declared, reading.counted) == (Decimal("999.99"), Decimal("300.00"))
    # A bank that tells no totals leaves whatever it likes there.
    silent = put(GOOD[-2], 24, " " * 92)
    reading, _ = read(joined([*GOOD[:-2], silent, GOOD[-1]]))
    assert (reading.declared, texts(reading)) == (None, [])


def test_faults_of_files_of_400_positions():
    layout = OF_400["341"]
    good = lines_of(layout, SENDER, facts())
    cases = [
        ([good[0], good[1][:390], *good[2:]], "Linha 2: detalhe: linha de 390 posições", 1),
        ([*good[:2], put(good[2], 395, "000009"), *good[3:]], "sequência 000009, e não 000003", 0),
        (good[:-1], NO_TRAILER, 0),
        ([*good[:-1], put(good[-1], 213, "00000009")], "declara 9 registros e tem 3", 0),
        (
            [good[0], put(good[1], 254, "00000000000X0"), *good[2:]],
            "“00000000000X0” não é um valor",
            1,
        ),
        ([good[0], put(good[1], 1, "X"), *good[2:]], "Linha 2: tipo de registro “X”.", 1),
        ([*good, good[1]], "há registros depois do final", 1),
    ]
    for lines, said, broken in cases:
        reading, found = read(joined(lines))
        assert any(said in text for text in texts(reading)), (said, texts(reading))
        assert [bool(one.fault) for one in found].count(True) == broken
    # Lines that complete a detail tell nothing more.
    optional = put(put(good[1], 1, "4"), 395, "000003")
    rest = [put(line, 395, f"{n:06d}") for n, line in enumerate(good[2:], 4)]
    reading, found = read(joined([good[0], good[1], optional, *rest]))
    assert (len(found), texts(reading)) == (3, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", UNRECOGNISED),
        (b"\r\n\r\n", UNRECOGNISED),
        (b"nome;valor\r\nFulano;10,00\r\n", UNRECOGNISED),
        (b"%PDF-1.7\n\x00\xff\xfe", UNRECOGNISED),
        (b"PK\x03\x04" + bytes(range(256)) * 20, UNRECOGNISED),
        (joined([put(GOOD[0], 1, "999"), *GOOD[1:]]), UNRECOGNISED),
        (
            joined([put(GOOD[0], 144, "99999999"), *GOOD[1:]]),
            f"{UNRECOGNISED} Linha 1: data do arq",
        ),
        (joined([put(GOOD[0], 143, "1"), *GOOD[1:]]), REMESSA),
        (SENT, REMESSA),
    ],
    ids=["empty", "blank", "csv", "pdf", "zip", "other bank", "no date", "sent", "remessa"],
)
def test_what_is_no_retorno_is_refused_in_words(content, said):
    with pytest.raises(NotRetorno, match=said[:40]):
        Reading(content)


def test_damage_anywhere_never_raises_and_hides_no_line():
    """Bytes changed, lines lost, doubled, cut and moved: 300 files, each read to its end."""
    rng = random.Random(240)
    for bank, table in (("341", OF_240), ("033", OF_240), ("237", OF_400), ("341", OF_400)):
        lines = [line.encode() for line in lines_of(table[bank], SENDERS[bank], facts(4, bank))]
        for _ in range(75):
            damaged = list(lines)
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(1, len(damaged))
                damaged[at : at + 1] = _harm(rng, damaged[at])
            reading, found = read(b"\r\n".join(damaged))
            n = sum(line[:1] == b"1" and table is OF_400 for line in damaged)
            assert len(found) >= n
            assert reading.n_faults >= sum(bool(one.fault) for one in found)


def _harm(rng: random.Random, line: bytes) -> list[bytes]:
    kind = rng.randrange(4)
    if kind == 0 and line:
        at = rng.randrange(len(line))
        return [line[:at] + bytes([rng.randrange(256)]) + line[at + 1 :]]
    if kind == 1:
        return [line[: rng.randrange(len(line) + 1)]]
    return [] if kind == 2 else [line, line]


def test_twenty_thousand_facts_are_read_in_seconds_and_little_memory():
    """The soak and the bench have the numbers; here a file that would show a leak."""
    content = retorno(
        ITAU, SENDER, [Fact(number_of("341", n), paid=Decimal(1)) for n in range(1, 2001)]
    )
    reading = Reading(content)
    tracemalloc.start()
    n = sum(1 for _ in entries(reading))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n == 2000
    assert peak < len(content) * 1.5 + 500_000  # the file itself, once more, and a few lines

    # Of a file that is wrong from end to end a few faults are kept, and all are counted.
    broken = joined([GOOD[0], *[line[:100] for line in GOOD[2:4]] * 300])
    reading, found = read(broken)
    assert (len(reading.faults), reading.n_faults > 300) == (MAX_FAULTS, True)
    assert len(found) == 300
