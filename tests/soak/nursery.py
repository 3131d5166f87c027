"""Everything that a process of the fiscal soak needs, imported once: they are all forks of this.

A process that is killed -9 is so replaced within milliseconds, however many are.
"""

from __future__ import annotations

from benchmarks.lab import set_up

set_up()

from benchmarks import seeding  # noqa: E402, F401  what soak.run imports, which each process reads
from soak import fiscal_worker  # noqa: E402, F401

from fiscal import warming  # noqa: E402

warming.load()
