"""The world of the core's tests: a company that issues, in a city that says what the test wants."""

from tests.fiscal.nfse.core.conftest import city, issuer, parameters  # noqa: F401  fixtures
