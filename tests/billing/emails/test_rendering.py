"""The renderer of e-mail texts: three ways to write a tag, and what may not come through one."""

from __future__ import annotations

import pytest

from billing.services.emails import words
from billing.services.emails.rendering import (
    add_note,
    both_parts,
    expand,
    plain,
    render,
    unknown_variables,
)
from billing.services.emails.variables import NAMES

VALUES = {
    "customer_name": "Café & <b>Cia</b> $VALOR {{ invoice_number }}",
    "invoice_number": "1001",
    "NUMERO": "1001",
    "VALOR": "R$ 10,00",
    "VALOR_BRUTO": "R$ 11,00",
    "pay_url": "",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ var:invoice_number }}|{{invoice_number}}|{{var:invoice_number:x}}", "1001|1001|1001"),
        ('{{ var:pay_url:nada }}|{{ nova:"a: b" }}|{{ nova }}|{{ var:nova: }}', "nada|a: b||"),
        ("$NUMERO: $VALOR, $VALOR_BRUTO.", "1001: R$ 10,00, R$ 11,00."),
        ("US$ 100, $100, $NADA, $N, $numero", "US$ 100, $100, $NADA, $N, $numero"),
        ("{{ }} {{ a b }} {% if x %} {{ a.b }}", "{{ }} {{ a b }} {% if x %} {{ a.b }}"),
        ("{{ customer_name }}", "Café & <b>Cia</b> $VALOR {{ invoice_number }}"),
    ],
)
def test_tags_are_replaced_once_and_the_rest_stays(text: str, expected: str) -> None:
    assert expand(text, VALUES) == expected


def test_values_do_not_become_markup_or_headers() -> None:
    page = render("{{ customer_name }}", '<p title="$NUMERO">{{ customer_name }}</p>', VALUES)
    text = render("Olá\r\nBcc: x@y.test\0", "{{ customer_name }}\n$NUMERO", VALUES)

    assert page.is_html
    assert "Café &amp; &lt;b&gt;Cia&lt;/b&gt; $VALOR" in page.body
    assert page.subject == "Café & <b>Cia</b> $VALOR {{ invoice_number }}"
    # A name with markup does not make a page of a text.
    assert not text.is_html
    assert text.subject == "Olá Bcc: x@y.test"
    as_text, as_page = both_parts(text.body, is_html=False)
    assert as_text == "Café & <b>Cia</b> $VALOR {{ invoice_number }}\n1001"
    assert "<p>Café &amp; &lt;b&gt;Cia&lt;/b&gt;" in as_page
    assert len(render("$NUMERO" * 200, "", VALUES).subject) == 300


def test_a_page_has_a_text_part_and_a_text_has_a_page() -> None:
    page = "<html><head><style>a {}</style></head><body><p>Ol&aacute;,</p><script>x</script>"
    page += '<a href="https://x.test/?a=1&amp;b=2">pague <b>aqui</b></a><br>fim</body></html>'

    assert plain(page).split() == ["Olá,", "pague", "aqui", "(https://x.test/?a=1&b=2)", "fim"]
    assert add_note(page, "veja <isto>", is_html=True).endswith(
        "fim<p>veja &lt;isto&gt;</p></body></html>"
    )
    assert add_note("corpo\n\n", "nota", is_html=False) == "corpo\n\nnota\n"
    _, html = both_parts("veja https://x.test/p/f/abc.def/ hoje", is_html=False)
    assert '<a href="https://x.test/p/f/abc.def/">' in html


def test_faults_of_a_template_name_line_and_neighbour() -> None:
    found = unknown_variables("$NUMERO\n{{ invoice_numbr }} {{ var:zzz:1 }}", dict.fromkeys(NAMES))

    assert found == [
        "Linha 2: a variável invoice_numbr não existe. Você quis dizer invoice_number?",
        "Linha 2: a variável zzz não existe.",
    ]


def test_our_own_texts_use_only_what_there_is() -> None:
    own = {"VALOR_PAGO", "DATA_PAGAMENTO", "FORMA_PAGAMENTO", "VALOR_REEMBOLSO"}
    known = {name: f"[{name}]" for name in {*NAMES, *own}}

    for name in words.shipped_names():
        text = words.shipped(name)
        done = expand(f"{text.subject}\n{text.body}", known)
        assert "Assunto" not in done
        assert "$" not in done, name
        assert "{{" not in done, name
        assert unknown_variables(text.body, known) == []
        assert ("[LINK]" in done) or ("[pay_url]" in done), name
