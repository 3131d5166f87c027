"""The answers of the services in the official layouts; every text is escaped here."""

from __future__ import annotations

from html import escape

from fiscal.sandbox.texts import motivo
from fiscal.sandbox.world import Call

NFE = "http://www.portalfiscal.inf.br/nfe"


def said(c_stat: int, detail: str = "") -> str:
    """xMotivo: the official words and the detail after them, 255 characters at most."""
    return " ".join((motivo(c_stat) + " " + detail).split())[:255]


def tag(name: str, value: object) -> str:
    """One element, or nothing when the value is empty."""
    text = "" if value is None else str(value)
    return f"<{name}>{escape(text, quote=False)}</{name}>" if text else ""


def head(call: Call, c_stat: int, detail: str = "") -> str:
    """tpAmb, verAplic, cStat and xMotivo, with which nearly every answer begins."""
    return (
        tag("tpAmb", call.tp_amb)
        + tag("verAplic", application(call))
        + tag("cStat", f"{c_stat:03d}")
        + tag("xMotivo", said(c_stat, detail))
    )


def application(call: Call) -> str:
    """verAplic, by which an answer says who wrote it."""
    return f"SANDBOX_{call.authority}"


def root(call: Call, name: str, version: str, content: str) -> str:
    """The outermost element; the order of its attributes goes by the unit (SBX-5)."""
    if int(call.orgao) % 2:
        return f'<{name} versao="{version}" xmlns="{NFE}">{content}</{name}>'
    return f'<{name} xmlns="{NFE}" versao="{version}">{content}</{name}>'


def protocol(
    call: Call,
    *,
    chave: str,
    c_stat: int,
    detail: str = "",
    n_prot: str = "",
    digval: str = "",
) -> str:
    """protNFe, in the namespace of what it stands in; some units declare it again."""
    messages = list(call.setting("mensagens", [])) if c_stat in (100, 150) else []
    content = (
        tag("tpAmb", call.tp_amb)
        + tag("verAplic", application(call))
        + tag("chNFe", chave)
        + tag("dhRecbto", call.local())
        + tag("nProt", n_prot)
        + tag("digVal", digval)
        + tag("cStat", f"{c_stat:03d}")
        + tag("xMotivo", said(c_stat, detail))
        + "".join(tag("cMsg", "200") + tag("xMsg", text) for text in messages[:5])
    )
    name = f' Id="ID{n_prot}"' if n_prot else ""
    own = f' xmlns="{NFE}"' if int(call.orgao) % 3 == 0 else ""
    return f'<protNFe versao="4.00"{own}><infProt{name}>{content}</infProt></protNFe>'


def ret_envi(call: Call, c_stat: int, detail: str = "", content: str = "") -> str:
    """retEnviNFe with protNFe or infRec as content."""
    inner = head(call, c_stat, detail) + tag("cUF", call.orgao) + tag("dhRecbto", call.local())
    return root(call, "retEnviNFe", "4.00", inner + content)


def ret_reci(call: Call, recibo: str, c_stat: int, content: str = "") -> str:
    """retConsReciNFe."""
    inner = (
        tag("tpAmb", call.tp_amb)
        + tag("verAplic", application(call))
        + tag("nRec", recibo)
        + tag("cStat", f"{c_stat:03d}")
        + tag("xMotivo", said(c_stat))
        + tag("cUF", call.orgao)
        + tag("dhRecbto", call.local())
    )
    return root(call, "retConsReciNFe", "4.00", inner + content)


def ret_sit(call: Call, chave: str, c_stat: int, detail: str = "", content: str = "") -> str:
    """retConsSitNFe with protNFe and the procEventoNFe as content."""
    inner = head(call, c_stat, detail) + tag("cUF", call.orgao)
    inner += tag("dhRecbto", call.local()) + tag("chNFe", chave)
    return root(call, "retConsSitNFe", "4.00", inner + content)


def ret_status(call: Call, c_stat: int) -> str:
    """retConsStatServ."""
    inner = head(call, c_stat) + tag("cUF", call.orgao) + tag("dhRecbto", call.local())
    return root(call, "retConsStatServ", "4.00", inner + tag("tMed", 1))


def ret_inut(call: Call, c_stat: int, detail: str = "", content: str = "", name: str = "") -> str:
    """retInutNFe; `content` are the fields from ano to nProt."""
    inner = head(call, c_stat, detail) + tag("cUF", call.orgao) + content
    attribute = f' Id="{name}"' if name else ""
    return root(call, "retInutNFe", "4.00", f"<infInut{attribute}>{inner}</infInut>")


def ret_env_evento(call: Call, lote: str, c_stat: int, detail: str = "", content: str = "") -> str:
    """retEnvEvento with the retEvento as content."""
    inner = (
        tag("idLote", lote or "0")
        + tag("tpAmb", call.tp_amb)
        + tag("verAplic", application(call))
        + tag("cOrgao", call.orgao)
        + tag("cStat", f"{c_stat:03d}")
        + tag("xMotivo", said(c_stat, detail))
    )
    return root(call, "retEnvEvento", "1.00", inner + content)


def ret_dist(
    call: Call, c_stat: int, detail: str = "", *, ult: int = 0, top: int = 0, content: str = ""
) -> str:
    """retDistDFeInt; NSU are written with 15 digits."""
    inner = head(call, c_stat, detail) + tag("dhResp", call.local())
    inner += tag("ultNSU", f"{ult:015d}") + tag("maxNSU", f"{top:015d}")
    return root(call, "retDistDFeInt", "1.01", inner + content)


def ret_cad(call: Call, c_stat: int, detail: str = "", content: str = "") -> str:
    """retConsCad; `content` are UF, CNPJ, dhCons, cUF and infCad."""
    inner = tag("verAplic", application(call)) + tag("cStat", f"{c_stat:03d}")
    inner += tag("xMotivo", said(c_stat, detail)) + content
    return root(call, "retConsCad", "2.00", f"<infCons>{inner}</infCons>")


REFUSALS = {
    "autorizacao": ret_envi,
    "status_servico": lambda call, c_stat, detail="": ret_status(call, c_stat),
    "ret_autorizacao": lambda call, c_stat, detail="": ret_reci(call, "0" * 15, c_stat),
    "consulta_protocolo": lambda call, c_stat, detail="": ret_sit(call, "0" * 44, c_stat, detail),
    "inutilizacao": ret_inut,
    "recepcao_evento": lambda call, c_stat, detail="": ret_env_evento(call, "", c_stat, detail),
    "recepcao_epec": lambda call, c_stat, detail="": ret_env_evento(call, "", c_stat, detail),
    "distribuicao_dfe": ret_dist,
    "consulta_cadastro": ret_cad,
}


def refusal(call: Call, c_stat: int, detail: str = "") -> str:
    """The answer of the call's service that refuses the whole message."""
    return REFUSALS[call.service](call, c_stat, detail)
