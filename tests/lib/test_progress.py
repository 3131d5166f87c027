"""The progress bar: for people at a terminal, nobody else."""

from __future__ import annotations

from io import StringIO

import pytest

from lib.progress import Bar


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("total", "done", "last"),
    [
        (200, 50, "Lendo [########......................]  25% 50 0s"),
        (200, 250, "Lendo [##############################] 100% 250 0s"),
        (0, 7, "Lendo 7 0s"),
    ],
)
def test_a_terminal_sees_the_share_the_count_and_the_time(total, done, last):
    terminal = Terminal()
    bar = Bar(total, "Lendo", stream=terminal)

    bar.update(done)
    bar.close()

    assert terminal.getvalue().split("\r")[-1] == f"{last}\x1b[K\n"


def test_a_file_or_a_pipe_sees_nothing():
    pipe = StringIO()
    bar = Bar(10, "Lendo", stream=pipe)

    bar.update(5)
    bar.close()

    assert pipe.getvalue() == ""


def test_many_updates_in_a_moment_draw_only_once():
    terminal = Terminal()
    bar = Bar(1000, "Lendo", stream=terminal)

    for done in range(1000):
        bar.update(done)

    assert terminal.getvalue().count("\r") == 1
