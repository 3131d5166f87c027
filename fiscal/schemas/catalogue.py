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

# fmt: off
_NFE_NAMES = (
    "nfe", "enviNFe", "procNFe", "consReciNFe", "consSitNFe", "consStatServ", "inutNFe",
    "procInutNFe", "retEnviNFe", "retConsReciNFe", "retConsSitNFe", "retConsStatServ", "retInutNFe",
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
        for name in ("e110001", "e110112", "e110750", "e110751", "e112150")
    },
    **dict.fromkeys(("e111500", "e111501"), (_OURS, "e111500.xsd")),
    **dict.fromkeys(("e111502", "e111503"), (_OURS, "e111502.xsd")),
    **{name: (_FAILURE, f"{name}_v1.00.xsd") for name in ("e110192", "e110193")},
    **{
        name: (_MANIFEST, f"{name}_v1.00.xsd")
        for name in ("e210200", "e210210", "e210220", "e210240")
    },
}

# The generic layout declares the type of `evento` but offers it only inside envEvento.
EVENT_WRAPPER = '<xs:element name="evento" type="TEvento"/>'


def families() -> list[str]:
    """The families in use, each once."""
    return sorted({family for family, _ in FILES.values()})
