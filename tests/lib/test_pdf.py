"""The PDF client and its renderer: limits, isolation, determinism (SAFE-3, SAFE-4, PDF-6)."""

import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from billing.documents.templates import samples
from billing.documents.variables import sample_context
from lib import pdf, pdf_job, pdf_wire
from lib.pdf import Kind, Limits, RenderFailed, RenderJob

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
SLOW_TABLE = "<table>" + "<tr><td>linha</td><td>1,00</td></tr>" * 4000 + "</table>"


def text_of(rendered, page=0):
    return PdfReader(io.BytesIO(rendered.pdf)).pages[page].extract_text()


def refusal(html, *, context=None, **limits):
    job = RenderJob(html, context={} if context is None else context, limits=Limits(**limits))
    with pytest.raises(RenderFailed) as caught:
        pdf.render(job)
    return caught.value


def zygote_pid():
    return pdf._renderer._process.pid


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until_dead(pid, seconds=8.0):
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


# --- what is printed -------------------------------------------------------------------------


def test_a_template_is_filled_in_and_printed():
    job = RenderJob("<h1>Olá, {{ nome }}</h1>", "h1{color:#222}", {"nome": "João & Cia"})

    rendered = pdf.render(job)

    assert rendered.pdf.startswith(b"%PDF-")
    assert rendered.pages == 1
    assert rendered.warnings == ()
    assert text_of(rendered) == "Olá, João & Cia"


def test_finished_html_is_printed_without_being_a_template():
    rendered = pdf.render(RenderJob("<p>{{ nome }}</p>", context=None))

    assert text_of(rendered) == "{{ nome }}"


def test_decimals_reach_the_template_with_every_digit():
    context = {"a": Decimal("0.10"), "b": [{"c": Decimal("12345678901234567890.1234")}]}

    rendered = pdf.render(RenderJob("<p>{{ a }} {{ b[0].c }}</p>", context=context))

    assert text_of(rendered) == "0.10 12345678901234567890.1234"


def test_a_context_with_an_object_is_a_type_error_and_the_renderer_goes_on():
    with pytest.raises(TypeError, match="plain data, not object"):
        pdf.render(RenderJob("<p>a</p>", context={"a": object()}))

    assert pdf.render(RenderJob("<p>a</p>")).pages == 1


def test_the_watermark_is_on_every_page():
    html = "<p>um</p><p style='break-before:page'>dois</p>"

    rendered = pdf.render(RenderJob(html, watermark="ANULADA"))

    assert rendered.pages == 2
    assert "ANULADA" in text_of(rendered, 0)
    assert "ANULADA" in text_of(rendered, 1)


def test_a_roll_ends_below_its_content():
    html = (
        "<style>@page{size:80mm 5000mm;margin:3mm}body,p{margin:0;line-height:10mm}</style>"
        "<p>um</p><p style='break-before:page'>dois<br>três</p>"
    )

    rendered = pdf.render(RenderJob(html, fit_height=True))

    pages = PdfReader(io.BytesIO(rendered.pdf)).pages
    assert [round(float(page.mediabox.height) * 25.4 / 72) for page in pages] == [16, 26]
    assert "três" in text_of(rendered, 1)


def test_the_shipped_font_is_the_only_one_embedded():
    rendered = pdf.render(RenderJob("<p>ação</p><b>Łódź</b><p style='font-weight:600'>1</p>"))

    page = PdfReader(io.BytesIO(rendered.pdf)).pages[0]
    fonts = {font.get_object()["/BaseFont"][8:] for font in page["/Resources"]["/Font"].values()}
    assert fonts == {"Inter", "Inter-Bold", "Inter-Semi-Bold"}


def test_the_document_is_tagged_with_its_language_and_pdf_a():
    rendered = pdf.render(RenderJob("<title>Fatura</title><p>a</p>", language="en-US"))

    reader = PdfReader(io.BytesIO(rendered.pdf))
    assert reader.root_object["/Lang"] == "en-US"
    assert reader.metadata.title == "Fatura"
    assert b"pdfaid:part" in reader.root_object["/Metadata"].get_data()


def test_the_html_size_counts_bytes_with_the_style_sheet():
    html, css = "<p>ç</p>", "p{color:red}"

    rendered = pdf.render(RenderJob(html, css))

    assert rendered.html_size == len(f"<style>{css}</style>{html}".encode())


def test_a_style_sheet_cannot_leave_its_style_element():
    rendered = pdf.render(RenderJob("<p>a</p>", "p::after{content:'</style><b>x'}"))

    assert text_of(rendered) == "a</style><b>x"


def test_the_same_job_gives_the_same_bytes_in_another_renderer(monkeypatch):
    html = "{% for k in d %}<p class='{{ k }}'>{{ d[k] }}</p>{% endfor %}<svg/><b>Ő</b>"
    job = RenderJob(html, "p{color:#123}", {"d": {"b": "1", "a": "2"}}, watermark="ANULADA")

    first = [pdf.render(job).pdf, pdf.render(job).pdf]
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    pdf.stop()
    second = pdf.render(job).pdf

    assert first[0] == first[1] == second


def test_practice_changes_no_byte_of_a_document(monkeypatch):
    (sample, _) = samples()
    job = replace(sample, context=sample_context(n_lines=3), watermark="ANULADA")
    pdf.render(job)
    practised = pdf.render(job).pdf
    monkeypatch.setattr(pdf, "TEMPLATE_SAMPLES", "builtins:list")
    pdf.stop()

    unpractised = pdf.render(job).pdf

    pdf.stop()
    assert unpractised == practised


def test_a_renderer_whose_practice_fails_prints_all_the_same(monkeypatch, capfd):
    monkeypatch.setattr(pdf, "TEMPLATE_SAMPLES", "lib.pdf_wire:loads")  # loads() is a TypeError
    pdf.stop()

    texts = [text_of(pdf.render(RenderJob(f"<p>{n}</p>"))) for n in range(3)]

    pdf.stop()
    assert texts == ["0", "1", "2"]
    assert "pdf.practice_failed" in capfd.readouterr().err


# --- what may be fetched (SAFE-4) ------------------------------------------------------------


@pytest.fixture
def server():
    """A real web server that counts what it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.hits.append(self.path)
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hits = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def svg_with(url):
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/><use href="{url}#a"/></svg>'
    )
    return "data:image/svg+xml," + svg.replace('"', "%22").replace("#", "%23").replace("<", "%3C")


EMBEDDINGS = [
    '<img src="{url}">',
    '<img srcset="{url} 2x" src="{url}">',
    '<link rel="stylesheet" href="{url}">',
    '<style>@import url("{url}");</style>',
    '<style>@import "{url}";</style>',
    '<p style="background:url({url})">a</p>',
    "<style>@font-face{{font-family:X;src:url({url})}} p{{font-family:X}}</style><p>a</p>",
    "<style>p::before{{content:url({url})}}</style><p>a</p>",
    "<style>@page{{background:url({url})}}</style>",
    '<object data="{url}"></object>',
    '<embed src="{url}">',
    '<svg><image href="{url}"/><use href="{url}#a"/></svg>',
    '<link rel="attachment" href="{url}">',
    '<a rel="attachment" href="{url}">a</a>',
    '<link rel="icon stylesheet attachment" href="{url}">',
    '<base href="{url}"><img src="x.png"><link rel="attachment" href="y">',
]


@pytest.mark.parametrize("html", EMBEDDINGS)
def test_nothing_is_fetched_from_the_network(server, html):
    url = f"http://127.0.0.1:{server.server_port}/x"

    rendered = pdf.render(RenderJob(f"<p>texto</p>{html.format(url=url)}"))

    assert server.hits == []
    assert "texto" in text_of(rendered)


@pytest.mark.parametrize("html", EMBEDDINGS)
def test_no_file_of_the_machine_gets_into_the_pdf(html, tmp_path):
    secret = tmp_path / "segredo.css"
    secret.write_text("p::after{content:'SEGREDO'} /* SEGREDO */")

    rendered = pdf.render(RenderJob(f"<p>texto</p>{html.format(url=secret.as_uri())}"))

    reader = PdfReader(io.BytesIO(rendered.pdf))
    assert reader.attachments == {}
    assert "SEGREDO" not in text_of(rendered)
    assert b"EmbeddedFile" not in rendered.pdf


def test_an_svg_inside_a_data_url_fetches_nothing_either(server):
    url = f"http://127.0.0.1:{server.server_port}/x.png"

    pdf.render(
        RenderJob(f'<img src="{svg_with(url)}"><img src="{svg_with("file:///etc/passwd")}">')
    )

    assert server.hits == []


def test_a_refused_resource_is_told_and_the_rest_is_printed():
    html = '<p>texto</p><img src="https://exemplo.com/a.png"><link rel=attachment href="file:///x">'

    rendered = pdf.render(RenderJob(html))

    assert text_of(rendered) == "texto"
    assert set(rendered.warnings) == {
        "Recursos externos não são permitidos: https://exemplo.com/a.png",
        "Anexos não são permitidos: file:///x",
    }


def test_an_asset_of_the_job_is_printed():
    image = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(image, "PNG")

    rendered = pdf.render(RenderJob('<img src="asset:logo">', assets={"logo": image.getvalue()}))

    (printed,) = PdfReader(io.BytesIO(rendered.pdf)).pages[0].images
    assert printed.image.size == (4, 3)
    assert rendered.warnings == ()


@pytest.mark.parametrize(
    "name", ["logo", "fonts/../../manage.py", "fonts/..%2f..%2fmanage.py", "/etc/passwd", ""]
)
def test_an_asset_that_is_not_there_is_a_warning(name):
    rendered = pdf.render(RenderJob(f'<p>a</p><img src="asset:{name}">'))

    assert len(rendered.warnings) == 1
    assert rendered.warnings[0].startswith("O arquivo ")


def test_a_font_of_one_document_does_not_reach_the_next():
    css = "@font-face{font-family:Minha;src:url(asset:f)} p{font-family:Minha}"
    font = (ROOT / "static/fonts/inter-700.woff2").read_bytes()

    pdf.render(RenderJob("<p>a</p>", css, assets={"f": font}))
    rendered = pdf.render(RenderJob("<p>a</p>", css))

    assert rendered.warnings == ("O arquivo f não existe.",)


# --- limits (SAFE-3) -------------------------------------------------------------------------


def test_a_loop_without_end_is_stopped_and_its_line_told():
    html = "<p>\n{% for a in range(99999) %}{% for b in range(99999) %}\n{% set c = b * a %}"
    html += "{% endfor %}{% endfor %}"

    error = refusal(html, template_cpu_seconds=0.3, html_size=64 * MIB)

    assert error.kind == Kind.TEMPLATE_TIMEOUT
    assert error.cause == "O modelo passou de 0,3 segundo de processamento."
    assert error.line in (2, 3)


def test_a_computation_that_cannot_be_interrupted_is_killed():
    error = refusal("{{ 9 ** (9 ** 9) }}", template_cpu_seconds=0.1)

    assert error.kind == Kind.TEMPLATE_TIMEOUT


@pytest.mark.parametrize(
    "html",
    [
        '\n{{ "a" * 10 ** 9 }}',
        '\n{{ "a"|center(1000000000) }}',
        '\n{{ "%1000000000d"|format(1) }}',
        "\n{% set x = namespace(a=[1]) %}{% for i in range(40) %}{% set x.a = x.a + x.a %}"
        "{% endfor %}",
    ],
)
def test_a_template_that_eats_memory_is_refused_with_its_line(html):
    error = refusal(html, template_memory=96 * MIB)

    assert error.kind == Kind.TOO_MUCH_MEMORY
    assert error.line == 2


def test_a_range_beyond_the_sandbox_is_refused():
    error = refusal("{% for i in range(10 ** 12) %}{% endfor %}")

    assert error.kind == Kind.TEMPLATE_ERROR
    assert error.cause == "O número ou a repetição é grande demais; range() vai até 100.000."


def test_a_macro_that_calls_itself_is_refused():
    error = refusal("{% macro a() %}{{ a() }}{% endmacro %}\n\n{{ a() }}")

    assert error.kind == Kind.TEMPLATE_ERROR
    assert error.cause == "O modelo chama a si mesmo sem parar."


def test_html_beyond_the_limit_is_refused():
    error = refusal("{% for i in range(99999) %}{{ 'abc' * 20 }}{% endfor %}")

    assert error.kind == Kind.HTML_TOO_LARGE
    assert error.cause == "O HTML passa de 2 MB."


def test_finished_html_beyond_the_limit_is_refused():
    with pytest.raises(RenderFailed) as caught:
        pdf.render(RenderJob("ç" * 600, limits=Limits(html_size=1000)))

    assert caught.value.kind == Kind.HTML_TOO_LARGE


def test_a_short_text_cannot_ask_for_a_million_pages():
    html = "{% for i in range(5000) %}<p style='break-before:page'>{% endfor %}"

    error = refusal(html, pages=5)

    assert error.kind == Kind.TOO_MANY_PAGES
    assert error.cause == "O documento passa de 5 páginas."


def test_exactly_the_allowed_pages_are_printed():
    html = "<p>a</p>" + "<p style='break-before:page'>b</p>" * 4

    assert pdf.render(RenderJob(html, limits=Limits(pages=5))).pages == 5


def test_a_pdf_beyond_the_limit_is_refused():
    error = refusal("<p>a</p>", pdf_size=3000)

    assert error.kind == Kind.PDF_TOO_LARGE


def test_elements_nested_without_end_are_refused():
    error = refusal("<div>" * 3000 + "a")

    assert error.kind == Kind.TEMPLATE_ERROR
    assert error.cause == "O HTML tem elementos demais uns dentro dos outros."


def test_a_layout_that_takes_too_long_is_stopped():
    error = refusal(SLOW_TABLE, layout_cpu_seconds=0.3)

    assert error.kind == Kind.TEMPLATE_TIMEOUT
    assert error.cause == "A montagem das páginas passou de 0,3 segundo."


def test_a_layout_that_eats_memory_is_refused():
    error = refusal(SLOW_TABLE, layout_memory=12 * MIB)

    assert error.kind == Kind.TOO_MUCH_MEMORY
    assert error.cause == "A montagem das páginas precisa de mais de 12 MB de memória."


def test_a_job_past_its_wall_time_is_killed():
    error = refusal(SLOW_TABLE, wall_seconds=0.3)

    assert error.kind == Kind.TEMPLATE_TIMEOUT
    assert error.cause == "O PDF não ficou pronto em 0,3 segundo."


def test_after_any_refusal_the_next_document_is_printed():
    refusal('{{ "a" * 10 ** 9 }}', template_memory=96 * MIB)

    assert pdf.render(RenderJob("<p>a</p>")).pages == 1


def test_a_full_disk_has_a_cause_of_its_own():
    error = OSError(errno.ENOSPC, "No space left on device")

    answer = pdf_job._translated(error, Limits(), layout=True)

    assert answer.kind == Kind.DISK_FULL


# --- processes -------------------------------------------------------------------------------


def test_a_renderer_found_dead_is_started_again():
    pdf.render(RenderJob("<p>a</p>"))
    dead = zygote_pid()
    os.kill(dead, signal.SIGKILL)
    assert wait_until_dead(dead)

    rendered = pdf.render(RenderJob("<p>b</p>"))

    assert text_of(rendered) == "b"
    assert zygote_pid() != dead


def test_a_renderer_that_dies_at_work_is_reported_and_the_next_one_works():
    pdf.render(RenderJob("<p>a</p>"))
    timer = threading.Timer(0.4, os.kill, (zygote_pid(), signal.SIGKILL))
    timer.start()

    with pytest.raises(RenderFailed) as caught:
        pdf.render(RenderJob(SLOW_TABLE * 2))

    assert caught.value.kind == Kind.WORKER_DIED
    assert pdf.render(RenderJob("<p>a</p>")).pages == 1


def test_documents_of_several_threads_do_not_mix():
    found = {}

    def work(n):
        found[n] = text_of(pdf.render(RenderJob("<p>{{ n }}</p>", context={"n": n})))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {n: str(n) for n in range(6)}


def test_a_forked_copy_of_the_client_has_a_renderer_of_its_own():
    pdf.render(RenderJob("<p>a</p>"))
    ours = zygote_pid()

    child = os.fork()
    if child == 0:
        is_right = pdf.render(RenderJob("<p>b</p>")).pages == 1 and zygote_pid() != ours
        pdf.stop()
        os._exit(0 if is_right else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert zygote_pid() == ours
    assert pdf.render(RenderJob("<p>c</p>")).pages == 1


CLIENT = """
import sys, time
from lib import pdf
pdf.render(pdf.RenderJob("<p>a</p>"))
print(pdf._renderer._process.pid, flush=True)
time.sleep(60)
"""


def test_a_client_that_is_killed_leaves_no_renderer_behind(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT], cwd=ROOT, stdout=subprocess.PIPE, env=environment
    )
    renderer = int(client.stdout.readline())

    client.kill()
    client.wait()
    client.stdout.close()

    assert wait_until_dead(renderer)
    assert list(tmp_path.iterdir()) == []


def test_the_renderer_gets_only_the_environment_it_needs():
    pdf.render(RenderJob("<p>a</p>"))

    environment = Path(f"/proc/{zygote_pid()}/environ").read_bytes().split(b"\0")
    names = {entry.partition(b"=")[0].decode() for entry in environment if entry}
    assert "DATA_DIR" in os.environ  # set for all tests; the renderer must not see it
    assert names <= set(pdf._ENVIRONMENT)


def test_the_client_does_not_load_the_pdf_engine():
    code = "import sys, lib.pdf; print('weasyprint' in sys.modules)"

    output = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)

    assert output == b"False\n"


def test_a_message_cut_short_is_not_taken_for_an_answer():
    ours, theirs = pdf_wire.socket.socketpair()
    theirs.sendall(b"\x00\x00\x00\x10{")
    theirs.close()

    with ours, pytest.raises(pdf_wire.BrokenMessage):
        pdf_wire.receive(ours, until=time.monotonic() + 1)


def test_a_job_arrives_as_it_was_sent():
    ours, theirs = pdf_wire.socket.socketpair()
    job = RenderJob("<p>", "p{}", {"a": [Decimal("1.10")]}, {"x": b"\x00\xff", "a": b""}, "M", "en")
    job = replace(job, limits=Limits(pages=3))

    with ours, theirs:
        pdf_wire.send_job(ours, job)
        arrived = pdf_wire.receive_job(theirs, until=time.monotonic() + 1)

    assert arrived == job
    assert str(arrived.context["a"][0]) == "1.10"
