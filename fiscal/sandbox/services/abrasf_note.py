"""The NFS-e that a city makes of an RPS, in the layout of its version, and its surroundings."""

from __future__ import annotations

import secrets
import sqlite3
from decimal import Decimal
from html import escape

from lxml import etree

from fiscal.sandbox import note_books, note_places, note_signature
from fiscal.sandbox.city_profiles import Profile
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services.abrasf_rps import Rps, Values, compute

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def issue(call: NoteCall, rps: Rps, *, replaces: str = "") -> sqlite3.Row:
    """Compose, seal and keep the note of an RPS that passed the rules."""
    number = call.world.store.next_number(
        f"nfse {call.ambiente} {call.authority} {rps.issuer} {call.now.year}"
    )
    number += call.now.year * 10**8
    code = "".join(secrets.choice(_LETTERS) for _ in range(8))
    values = compute(rps, call)
    text = _nfse(call, rps, values, number=number, code=code, replaces=replaces)
    series, rps_number, kind = rps.identity
    return note_books.enter(
        call,
        note_books.Entry(
            document=rps.issuer,
            registration=rps.registration,
            municipality=call.municipality,
            series=series,
            rps=rps_number,
            rps_type=kind,
            identity=rps.inf.get(rps.profile.id, ""),
            number=number,
            key=code,
            taker=rps.taker,
            intermediary=rps.intermediary,
            amount=f"{rps.value('ValorServicos'):.2f}",
            digest=digest_of(rps.inf),
            request=etree.tostring(rps.element, encoding="utf-8"),
            xml=text.encode(),
            replaces=replaces,
        ),
    )


def digest_of(inf: etree._Element) -> str:
    """SHA-256 of the canonical declaration: what tells two RPS of one number apart."""
    import hashlib

    return hashlib.sha256(note_signature.canonical(inf, exclusive=True)).hexdigest()


def tag(name: str, value: object | None) -> str:
    """A leaf, or nothing for None and the empty text."""
    return "" if value in (None, "") else f"<{name}>{escape(str(value))}</{name}>"


def _nfse(
    call: NoteCall, rps: Rps, values: Values, *, number: int, code: str, replaces: str
) -> str:
    profile = rps.profile
    head = tag("Numero", number) + tag("CodigoVerificacao", code)
    head += tag("DataEmissao", call.local()[:19])
    build = _body_1 if profile.is_first else _body_2
    inner = f'<InfNfse {profile.id}="nfse{number}">{head}{build(call, rps, values, replaces)}'
    version = "" if profile.is_first else f' versao="{profile.version}"'
    text = f'<Nfse xmlns="{profile.namespace}"{version}>{inner}</InfNfse></Nfse>'
    return note_signature.sealed(text, inside="InfNfse", authority=call.world.authority)


def _amount(name: str, value: Decimal | None) -> str:
    return tag(name, None if value is None else f"{value:.2f}")


def _body_2(call: NoteCall, rps: Rps, values: Values, replaces: str) -> str:
    city = note_places
    rate = None if values.rate is None else f"{values.rate:.2f}"
    told = (
        f"<ValoresNfse>{_amount('BaseCalculo', values.base)}{tag('Aliquota', rate)}"
        f"{_amount('ValorIss', values.iss)}{_amount('ValorLiquidoNfse', values.net)}</ValoresNfse>"
    )
    who = "" if rps.profile.version == "2.04" else _identified(rps)
    place = tag("CodigoMunicipio", call.municipality) + tag("Uf", city.uf(call.municipality))
    inside = "".join(
        etree.tostring(each, encoding="unicode", with_tail=False) for each in rps.element
    )
    return (
        tag("NfseSubstituida", replaces)
        + told
        + f"<PrestadorServico>{who}{tag('RazaoSocial', _name(call, rps.issuer))}"
        f"<Endereco><Endereco>Rua do Cadastro</Endereco><Numero>100</Numero>"
        f"<Bairro>Centro</Bairro>{place}<Cep>01001000</Cep></Endereco></PrestadorServico>"
        f"<OrgaoGerador>{place}</OrgaoGerador>"
        f"<DeclaracaoPrestacaoServico>{inside}</DeclaracaoPrestacaoServico>"
    )


def _identified(rps: Rps) -> str:
    kind = "Cnpj" if len(rps.issuer) == 14 else "Cpf"
    document = tag(kind, rps.issuer)
    if not rps.profile.is_first:
        document = f"<CpfCnpj>{document}</CpfCnpj>"
    registration = tag("InscricaoMunicipal", rps.registration)
    return f"<IdentificacaoPrestador>{document}{registration}</IdentificacaoPrestador>"


def _name(call: NoteCall, document: str) -> str:
    known = call.setting("contribuintes", {}).get(document, {})
    return str(known.get("nome", f"CONTRIBUINTE {document}"))


def _copied(rps: Rps, path: str, name: str = "") -> str:
    """An element of the RPS as it is, under another name where the note has one."""
    found = rps.find(path)
    if found is None:
        return ""
    space = f' xmlns="{rps.profile.namespace}"'
    text = etree.tostring(found, encoding="unicode", with_tail=False).replace(space, "")
    if name:
        old = etree.QName(found).localname
        text = f"<{name}{text[len(old) + 1 : -len(old) - 1]}{name}>"
    return text


def _body_1(call: NoteCall, rps: Rps, values: Values, replaces: str) -> str:
    place = tag("CodigoMunicipio", call.municipality)
    place += tag("Uf", note_places.uf(call.municipality))
    return (
        _copied(rps, "IdentificacaoRps")
        + tag("DataEmissaoRps", rps.issued)
        + _copied(rps, "NaturezaOperacao")
        + _copied(rps, "RegimeEspecialTributacao")
        + _copied(rps, "OptanteSimplesNacional")
        + _copied(rps, "IncentivadorCultural")
        + tag("Competencia", f"{rps.issued}T00:00:00")
        + tag("NfseSubstituida", replaces)
        + _service_1(rps, values)
        + f"<PrestadorServico>{_identified(rps)}{tag('RazaoSocial', _name(call, rps.issuer))}"
        f"<Endereco><Endereco>Rua do Cadastro</Endereco>{place}</Endereco></PrestadorServico>"
        + _copied(rps, "Tomador", "TomadorServico")
        + _copied(rps, "IntermediarioServico")
        + f"<OrgaoGerador>{place}</OrgaoGerador>"
        + _copied(rps, "ContrucaoCivil")
    )


def _service_1(rps: Rps, values: Values) -> str:
    """Servico with the amounts that the city computed."""
    told = rps.value
    iss_withheld = values.iss if rps.is_withheld else None
    optional = "".join(
        _amount(name, told(name) if rps.text(f"Servico/Valores/{name}") else None)
        for name in (
            "ValorDeducoes",
            "ValorPis",
            "ValorCofins",
            "ValorInss",
            "ValorIr",
            "ValorCsll",
        )
    )
    rate = None if values.rate is None else f"{values.rate.normalize():f}"
    amounts = (
        _amount("ValorServicos", told("ValorServicos"))
        + optional
        + tag("IssRetido", "1" if rps.is_withheld else "2")
        + _amount("ValorIss", values.iss)
        + _amount("ValorIssRetido", iss_withheld)
        + _amount("OutrasRetencoes", told("OutrasRetencoes") or None)
        + _amount("BaseCalculo", values.base)
        + tag("Aliquota", rate)
        + _amount("ValorLiquidoNfse", values.net)
        + _amount("DescontoIncondicionado", told("DescontoIncondicionado") or None)
        + _amount("DescontoCondicionado", told("DescontoCondicionado") or None)
    )
    rest = "".join(
        _copied(rps, f"Servico/{name}")
        for name in (
            "ItemListaServico", "CodigoCnae", "CodigoTributacaoMunicipio", "Discriminacao",
            "CodigoMunicipio",
        )
    )  # fmt: skip
    return f"<Servico><Valores>{amounts}</Valores>{rest}</Servico>"


# --- around the note ---------------------------------------------------------------------------


def complete(call: NoteCall, profile: Profile, row: sqlite3.Row) -> str:
    """CompNfse: the note, its cancellation and the note that took its place."""
    text = bytes(row["xml"]).decode()
    if row["situacao"] == note_books.CANCELLED:
        events = note_books.events_of(call, event_key(row["documento"], row["numero"]))
        text += "".join(
            bytes(each["xml"]).decode() for each in events if each["situacao"] == "registrado"
        )
    if row["situacao"] == note_books.REPLACED:
        text += _replaced(call, profile, row)
    return f'<CompNfse xmlns="{profile.namespace}">{text}</CompNfse>'


def _replaced(call: NoteCall, profile: Profile, row: sqlite3.Row) -> str:
    version = "" if profile.is_first else f' versao="{profile.version}"'
    other = row["substituida_por"]
    inner = f'<SubstituicaoNfse {profile.id}="sub{row["numero"]}">{tag("NfseSubstituidora", other)}'
    text = f'<NfseSubstituicao xmlns="{profile.namespace}"{version}>{inner}</SubstituicaoNfse>'
    return note_signature.sealed(
        f"{text}</NfseSubstituicao>", inside="SubstituicaoNfse", authority=call.world.authority
    )


def event_key(document: str, number: int) -> str:
    """What the events of a city's note are kept under."""
    return f"{document} {number}"


def cancellation(call: NoteCall, profile: Profile, order: str, number: int) -> str:
    """NfseCancelamento (2.x) or the same under the name of 1.00, with the order as it came."""
    moment = tag("DataHoraCancelamento" if profile.is_first else "DataHora", call.local()[:19])
    version = "" if profile.is_first else f' versao="{profile.version}"'
    text = (
        f'<NfseCancelamento xmlns="{profile.namespace}"{version}>'
        f'<Confirmacao {profile.id}="canc{number}">{order}{moment}</Confirmacao>'
        "</NfseCancelamento>"
    )
    return note_signature.sealed(text, inside="Confirmacao", authority=call.world.authority)
