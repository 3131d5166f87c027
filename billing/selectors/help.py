"""Texts that help customers: what staff have written, and what comes with the product."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Account
from billing.help_texts import SHIPPED
from billing.models import HelpArticle
from lib.errors import NotFound


@dataclass(frozen=True)
class Article:
    """A text: paragraphs are apart by empty lines."""

    slug: str
    title: str
    body: str

    @property
    def paragraphs(self) -> list[str]:
        return [part.strip() for part in self.body.split("\n\n") if part.strip()]


def shown_articles(account: Account | None) -> list[Article]:
    """Those that customers of the account may read, in order; one query.

    What staff have written under the name of a shipped text takes its place, and hides it where it
    is not published. Without an account only what is shipped.
    """
    written = _written(account) if account is not None else {}
    shipped = [
        Article(text.slug, text.title, text.body) for text in SHIPPED if text.slug not in written
    ]
    own = [Article(row.slug, row.title, row.body) for row in written.values() if row.is_published]
    return [*own, *shipped]


def get_article(account: Account | None, slug: str) -> Article:
    """One of them. Raises NotFound."""
    for article in shown_articles(account):
        if article.slug == slug:
            return article
    raise NotFound()


def _written(account: Account) -> dict[str, HelpArticle]:
    rows = HelpArticle.objects.of(account).order_by("position", "title")
    return {row.slug: row for row in rows}
