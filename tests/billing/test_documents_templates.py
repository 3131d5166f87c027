"""Document templates: syntax, sandbox, variables, filters (SAFE-1, SAFE-2, TPL-1, scenario 11)."""

from decimal import Decimal

import pytest

from billing.documents.templates import (
    SHIPPED,
    TemplateFault,
    compile_template,
    render_html,
    samples,
)
from billing.documents.variables import CATALOGUE, KNOWN, sample_context
from lib.pdf_wire import Kind, Refused

NBSP = "\u00a0"


def printed(html, **context):
    return render_html(html, "", context).split("</style>", 1)[1]


def fault(html, css=""):
    with pytest.raises(TemplateFault) as caught:
        compile_template(html, css)
    return caught.value


def run_fault(html, **context):
    with pytest.raises(Refused) as caught:
        render_html(html, "", context)
    return caught.value


# --- scenario 11: the snippets of §5.1 -------------------------------------------------------

INVOICE = {
    "total_amount": Decimal("1234.50"),
    "total_tax": Decimal("45.05"),
    "client": {"name": "João & Cia", "address": {"country": "BR", "city": ""}},
    "transactions": [
        {
            "created": "2025-01-10T12:00:00",
            "title": "Link",
            "retail_cost": Decimal("100.00"),
            "tax_percentage": Decimal("10"),
            "tax_amount": Decimal("10.00"),
        },
        {
            "created": "2025-01-11T00:00:00",
            "title": "Isento",
            "retail_cost": Decimal("0.125"),
            "tax_percentage": Decimal("0"),
            "tax_amount": Decimal("0.00"),
        },
    ],
}


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            '{% for t in transactions %}{{ t.created.split("T")[0] }} {{ t.title }};{% endfor %}',
            "2025-01-10 Link;2025-01-11 Isento;",
        ),
        (
            "{% for t in transactions %}{% if t.tax_amount > 0 %}{{ t.tax_amount }} "
            "({{ t.tax_percentage }}%){% else %}-{% endif %};{% endfor %}",
            "10.00 (10%);-;",
        ),
        ("{{ total_amount * 0.10 }}", "123.450"),
        ('{{ "%.2f"|format(total_amount * 0.10) }}', "123.45"),
        ("{{ total_amount + total_tax }}", "1279.55"),
        ("{% if total_amount > 1000 %}grande{% endif %}", "grande"),
        ("{% if total_amount > 1234.5 %}maior{% else %}igual{% endif %}", "igual"),
        ('{% if client.address.country == "BR" %}Brasil{% else %}fora{% endif %}', "Brasil"),
        ("{{ client.name }}", "João &amp; Cia"),
        ('{{ "%.2f"|format(transactions[1].retail_cost) }}', "0.13"),
        ('{{ "%s: %08.2f"|format("a", total_tax) }}', "a: 00045.05"),
        ('{{ "%(x).1f"|format(x=total_tax) }}', "45.1"),
        ('{{ "{:.2f}".format(transactions[1].retail_cost) }}', "0.13"),
        ('{{ transactions|sum(attribute="retail_cost") }}', "100.125"),
        ("{{ total_amount|round(1) }} {{ total_amount|int }}", "1234.5 1234"),
    ],
)
def test_the_snippets_of_the_specification_render(html, expected):
    assert printed(html, **INVOICE) == expected


# --- missing values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        "{{ nada }}",
        "{{ client.nada }}",
        "{{ client.nada.mais.fundo[0]['x'] }}",
        "{{ nada.x|brl }}{{ none|data_br }}{{ ''|cnpj }}{{ nada|extenso }}",
        "{{ none }}",
        "{% for a in nada.lista %}{{ a }}{% endfor %}",
        "{% if nada %}x{% endif %}",
        "{{ nada|qr }}{{ nada|codigo_barras }}",
    ],
)
def test_what_is_missing_prints_nothing(html):
    assert printed(html, client={}) == ""


def test_what_is_missing_cannot_be_counted_with():
    error = run_fault("\n{{ desconto + 1 }}")

    assert error.kind == Kind.TEMPLATE_ERROR
    assert error.line == 2
    assert error.cause == (
        "A variável desconto não existe e não pode entrar numa conta ou comparação."
    )


# --- filters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1234.5|brl", f"R${NBSP}1.234,50"),
        ("'-10'|brl", f"-R${NBSP}10,00"),
        ("n|brl", f"R${NBSP}0,13"),
        ("'abc'|brl", "abc"),
        ("n|numero", "0,125"),
        ("1000|numero", "1.000"),
        ("1000|numero(2)", "1.000,00"),
        ("10|percentual", "10,00%"),
        ("'2025-01-10T12:00:00'|data_br", "10/01/2025"),
        ("'2025-01-10'|data", "10/01/2025"),
        ("'10/01/2025'|data_br", "10/01/2025"),
        ("'2025-01-10'|competencia", "01/2025"),
        ("'01/2025'|competencia", "01/2025"),
        ("'11222333000181'|cnpj", "11.222.333/0001-81"),
        ("'12ABC34501DE35'|documento", "12.ABC.345/01DE-35"),
        ("'52998224725'|cpf", "529.982.247-25"),
        ("'01310100'|cep", "01310-100"),
        ("'11912345678'|telefone", "(11) 91234-5678"),
        ("1100.01|extenso", "mil e cem reais e um centavo"),
        (
            "'00190500954014481606906809350314337370000000100'|linha_digitavel",
            "00190.50095 40144.816069 06809.350314 3 37370000000100",
        ),
        ("'abc'|codigo_barras", ""),
    ],
)
def test_filters_follow_the_brazilian_formats(expression, expected):
    assert printed("{{ " + expression + " }}", n=Decimal("0.125")) == expected


def test_a_qr_code_is_drawn_and_not_escaped():
    assert printed("{{ 'x'|qr }}").startswith('<svg xmlns="http://www.w3.org/2000/svg"')


def test_drawings_of_the_context_are_not_escaped_and_other_text_is():
    html = "{{ r[0].pix_qr_svg }}{{ r[0].nome }}"

    assert printed(html, r=[{"pix_qr_svg": "<svg/>", "nome": "<b>"}]) == "<svg/>&lt;b&gt;"


def test_lines_are_added_up_by_month():
    lines = [
        {"period_start": "2025-02-01", "value": Decimal("1.00"), "tax_amount": Decimal("0.10")},
        {"period_start": "2025-01-15", "value": Decimal("2.00"), "tax_amount": Decimal("0.00")},
        {"period_start": "2025-02-20", "value": Decimal("3.00"), "tax_amount": Decimal("0.30")},
        {"period_start": "", "value": Decimal("5.00"), "tax_amount": Decimal("0.00")},
    ]
    html = (
        "{% for m in lines|por_competencia %}{{ m.competencia }} {{ m.lines }} {{ m.total }};"
        "{% endfor %}"
    )

    assert printed(html, lines=lines) == "01/2025 1 2.00;02/2025 2 4.40; 1 5.00;"


def test_a_key_goes_before_a_method_of_the_same_name():
    assert printed("{{ x.items }} {{ x.values }}", x={"items": "3"}).startswith("3 ")


# --- the sandbox (SAFE-1) --------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ x.y.__init__.__globals__ }}",
        "{% set a = ().__class__.__bases__ %}",
    ],
)
def test_internal_attributes_are_refused_when_the_template_is_saved(html):
    error = fault(html)

    assert error.kind == Kind.TEMPLATE_SYNTAX
    assert error.message.startswith("O acesso a __")


@pytest.mark.parametrize(
    "html",
    [
        "{{ ''|attr('__class__') }}",
        "{{ ''['__cla' ~ 'ss__'] }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{x.__class__}'.format_map({'x': 1}) }}",
        "{{ (1).as_tuple.__self__ if false else ''|attr('__mro__') }}",
        "{{ [1].append(2) }}",
        "{{ {}.update({}) }}",
        "{{ [['a']]|map(attribute='0.__class__')|list }}",
    ],
)
def test_internal_attributes_and_changes_are_refused_when_it_is_printed(html):
    if "__self__" in html:
        assert fault(html).kind == Kind.TEMPLATE_SYNTAX
        return
    assert run_fault(html).kind == Kind.TEMPLATE_ERROR


@pytest.mark.parametrize(
    ("html", "word"),
    [
        ("{% include 'a' %}", "include"),
        ("{% import 'a' as b %}", "import"),
        ("{% from 'a' import b %}", "from … import"),
        ("{% extends 'a' %}", "extends"),
        ("{% autoescape false %}{% endautoescape %}", "autoescape"),
    ],
)
def test_tags_that_reach_other_files_or_turn_escaping_off_are_refused(html, word):
    error = fault("\n " + html)

    assert error.message == f"{word} não é permitido em modelos."
    assert (error.line, error.column) == (2, 5)


@pytest.mark.parametrize("name", ["random", "pprint", "xmlattr"])
def test_filters_that_answer_differently_each_time_do_not_exist(name):
    assert fault("{{ [1]|" + name + " }}").message.startswith(f"O filtro {name} não existe.")


def test_nothing_is_computed_while_a_template_is_checked():
    compile_template("{{ 'a' * 10 ** 12 }}{{ 9 ** (9 ** 9) }}{{ 'a'|center(10 ** 12) }}", "")


# --- errors with their line (SAFE-2) ---------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "line", "column", "message"),
    [
        ("a\nb {% if x %}", 2, 6, "O bloco if não foi fechado: falta endif."),
        ("{{ a b }}", 1, 6, "Esperava }} e encontrou b."),
        ("\n\n  {{ valor|reais }}", 3, 12, "O filtro reais não existe."),
        ("{{ valor|brll }}", 1, 10, "O filtro brll não existe. Você quis dizer brl?"),
        ("{% if x is par %}{% endif %}", 1, 12, "O teste par não existe."),
        ("{% for a in b %}\n{% if c %}{% endfor %}", 2, 14, None),
        ("{% endfor %}", 1, 4, "endfor não fecha nenhum bloco."),
        ("{% foo %}", 1, 4, "O bloco foo não existe."),
        ("{{ 'a' }", 1, 8, "Não esperava } aqui."),
        ("texto\n{# a", 2, 1, "O comentário não foi fechado: falta #}."),
        ("{% set 1 = 2 %}", 1, 1, "Não é possível atribuir um valor a const."),
    ],
)
def test_a_syntax_error_tells_line_column_and_reason(html, line, column, message):
    error = fault(html)

    assert (error.line, error.column) == (line, column)
    assert message is None or error.message == message


def test_a_fault_reads_as_one_sentence():
    assert fault("{% foo %}").text == "Linha 1, coluna 4: O bloco foo não existe."


@pytest.mark.parametrize(
    "html", ["{{ " + "(" * 5000 + ")" * 5000 + " }}", "{{ " + "9" * 9000 + " }}"]
)
def test_a_monstrous_expression_is_a_fault_and_not_a_crash(html):
    assert fault(html).kind == Kind.TEMPLATE_SYNTAX


def test_a_template_of_more_than_a_megabyte_is_refused():
    assert fault("a" * 1_000_000, "b" * 100_000).message == "O modelo passa de 1 MB."


@pytest.mark.parametrize(
    ("html", "cause"),
    [
        ("{{ 1 / 0 }}", "Divisão por zero."),
        ("{{ n / 0 }}", "Divisão por zero."),
        ("{{ 0 * n / (n - n) }}", "A conta não tem resultado."),
        ("{{ 'a' + n }}", None),
    ],
)
def test_a_run_time_error_tells_its_line(html, cause):
    error = run_fault("\n\n" + html, n=Decimal("1.00"))

    assert error.kind == Kind.TEMPLATE_ERROR
    assert error.line == 3
    assert cause is None or error.cause == cause


# --- unknown variables -----------------------------------------------------------------------


def warnings_of(html, css=""):
    return [warning.text for warning in compile_template(html, css).lint(set(KNOWN))]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "\n" * 41 + "{{ invoice_numbr }}",
            "Linha 42: a variável invoice_numbr não existe. Você quis dizer invoice_number?",
        ),
        (
            "{{ client.nmae }}",
            "Linha 1: a variável client.nmae não existe. Você quis dizer client.name?",
        ),
        (
            "{{ city }}",
            "Linha 1: a variável city não existe. Você quis dizer client.address.city?",
        ),
        (
            "{% for t in transactions %}{{ t.titel }}{% endfor %}",
            "Linha 1: a variável t.titel não existe. Você quis dizer t.title?",
        ),
        (
            "{% set a = client.address %}{{ a.citty }}",
            "Linha 1: a variável a.citty não existe. Você quis dizer a.city?",
        ),
        (
            "{{ transactions[0].tilte }}",
            "Linha 1: a variável transactions[].tilte não existe. "
            "Você quis dizer transactions[].title?",
        ),
        (
            "{{ (lines|sort(attribute='value')|first).unitz }}",
            "Linha 1: a variável unitz não existe. Você quis dizer units?",
        ),
        (
            "{{ client['nmae'] }}",
            "Linha 1: a variável client.nmae não existe. Você quis dizer client.name?",
        ),
        ("{% for a in lines %}{% endfor %}{{ a }}", "Linha 1: a variável a não existe."),
        ("{{ xyzw }}", "Linha 1: a variável xyzw não existe."),
    ],
)
def test_an_unknown_variable_is_a_warning_with_the_one_that_was_meant(html, text):
    assert warnings_of(html) == [text]


@pytest.mark.parametrize(
    "html",
    [
        "{{ invoice_number }}{{ client.address.city }}{{ date.split('T')[0] }}",
        "{% for t in transactions %}{{ loop.index }}{{ t.created.split('T') }}{% endfor %}",
        "{% for t in lines[:5]|sort(attribute='value') %}{{ t.unit_value }}{% endfor %}",
        "{% macro m(a, b=1) %}{{ a.x }}{{ b }}{{ caller() }}{% endmacro %}{{ m(1) }}",
        "{% set ns = namespace(x=0) %}{% set ns.x = 1 %}{{ ns.x }}{{ range(3) }}",
        "{% with a = client %}{{ a.name }}{% endwith %}",
        "{% if apelido is defined %}x{% endif %}{{ apelido|default('') }}",
        "{% for k, v in client.items() %}{{ k }}{{ v.x }}{% endfor %}",
        "{% for g in lines|groupby('title') %}{{ g.grouper }}{% endfor %}",
        "{{ receivables|length }}{{ receivables[0].number }}{{ receivables.0 }}",
        "{% set x %}a{% endset %}{{ x }}",
    ],
)
def test_known_names_give_no_warning(html):
    assert warnings_of(html) == []


def test_warnings_come_in_the_order_of_the_lines_and_once():
    assert [text[:7] for text in warnings_of("{{ bbb }}\n{{ aaa }}{{ aaa }}\n{{ bbb }}")] == [
        "Linha 1",
        "Linha 2",
        "Linha 3",
    ]


def test_jinja_and_errors_in_the_style_sheet_are_warnings():
    assert warnings_of("", "p{color:red}\n p{color:{{ cor }}}") == [
        "Linha 2: o CSS não aceita {{ }} nem {% %}."
    ]
    assert warnings_of("", "p{}\n}") != []


# --- the whole document ----------------------------------------------------------------------


def test_the_colours_of_the_organisation_are_defined_before_the_style_sheet():
    html = render_html(
        "<html><head></head><body>a</body></html>",
        "p{color:var(--primary)}",
        {"organization": {"color_primary": "#123456"}},
    )

    assert html.startswith("<html><head><style>:root{--primary:#123456;")
    assert html.endswith("p{color:var(--primary)}</style></head><body>a</body></html>")


def test_a_sandbox_document_says_so_whatever_its_template_does():
    html = printed("<body><p>a</p></body>", sandbox=True)

    assert html.startswith("<body><p>a</p><p style=")
    assert html.endswith("HOMOLOGAÇÃO – documentos sem validade fiscal</p></body>")


def test_a_template_that_says_so_itself_is_left_alone():
    html = "{% if sandbox %}<p>HOMOLOGAÇÃO – documentos sem validade fiscal</p>{% endif %}"

    assert printed(html, sandbox=True).count("HOMOLOGAÇÃO") == 1


def test_html_is_refused_as_soon_as_it_is_too_large():
    with pytest.raises(Refused) as caught:
        render_html("{% for a in range(9) %}{{ 'x' * 99 }}{% endfor %}", "", {}, max_size=500)

    assert caught.value.kind == Kind.HTML_TOO_LARGE


# --- the catalogue ---------------------------------------------------------------------------


def paths_of(value, prefix=""):
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in paths_of(v, f"{prefix}.{k}" if prefix else k)}
    if isinstance(value, list):
        return {path for item in value for path in paths_of(item, f"{prefix}[]")}
    return {prefix}


def test_the_sample_holds_exactly_the_variables_of_the_catalogue():
    context = sample_context(n_lines=2)
    context["discounts"] = [{"description": "", "value": Decimal(1), "until": ""}]
    context["withholdings"] = [{"name": "", "percentage": Decimal(1), "value": Decimal(1)}]

    assert paths_of(context) == {variable.name for variable in CATALOGUE}


def test_every_variable_is_described_in_portuguese():
    assert all(variable.description for variable in CATALOGUE)
    assert len({variable.name for variable in CATALOGUE}) == len(CATALOGUE)


def test_the_amounts_of_the_sample_add_up():
    context = sample_context(n_lines=200, n_receivables=12, long_names=True)

    total = sum(line["value"] for line in context["lines"])
    tax = sum(line["tax_amount"] for line in context["lines"])
    parts = sum(part["value"] for part in context["receivables"])
    assert (context["total_amount"], context["total_tax"]) == (total, tax)
    assert parts == total + tax
    assert len(context["transactions"]) == len(context["lines"]) == 200


# --- what the renderer practises on ----------------------------------------------------------


def test_the_shipped_templates_are_compiled_once_for_all_documents():
    jobs = list(samples())

    assert [job.html_template for job in jobs] == [
        (SHIPPED / "simples.html").read_text(),
        (SHIPPED / "detalhada.html").read_text(),
    ]
    assert [job.css for job in jobs] == [
        (SHIPPED / "simples.css").read_text(),
        (SHIPPED / "detalhada.css").read_text(),
    ]
    for job in jobs:
        assert compile_template(job.html_template, "").code is (
            compile_template(job.html_template, job.css).code
        )


def test_a_template_of_a_customer_is_not_kept():
    assert compile_template("<p>a</p>", "").code is not compile_template("<p>a</p>", "").code


def test_a_kept_template_is_still_refused_with_too_large_a_style_sheet():
    (job, _) = samples()

    assert fault(job.html_template, "b" * 1024 * 1024).message == "O modelo passa de 1 MB."


@pytest.mark.parametrize(
    ("html", "column", "start"),
    [
        ("{{ x|naoha }}{{ x._y }}", 6, "O filtro naoha não existe."),
        ("{{ x._y }}{{ x|naoha }}", 6, "O acesso a _y"),
    ],
)
def test_the_first_of_two_faults_on_a_line_is_told(html, column, start):
    error = fault(html)

    assert (error.line, error.column) == (1, column)
    assert error.message.startswith(start)
