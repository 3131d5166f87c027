"""People who sign in."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from factories import UserFactory

from accounts.models import User

PASSWORD = "uma senha comprida"


@pytest.mark.django_db
def test_a_password_is_kept_as_an_argon2_hash():
    user = User.objects.create_user("ana@exemplo.test", PASSWORD)

    assert user.password.startswith("argon2$argon2id$")
    assert PASSWORD not in user.password


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["ana@exemplo.test", "ANA@Exemplo.Test", "  Ana@exemplo.test "])
def test_the_e_mail_is_the_same_in_any_case(typed):
    user = User.objects.create_user("Ana@Exemplo.Test", PASSWORD)

    assert user.email == "ana@exemplo.test"
    assert authenticate(username=typed, password=PASSWORD) == user
    assert User.objects.get_by_natural_key(typed) == user


@pytest.mark.django_db
def test_the_database_refuses_a_second_user_whose_e_mail_differs_in_case_only():
    UserFactory(email="ana@exemplo.test")

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="ANA@exemplo.test")

    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "ana@exemplo.test", "password": "outra"},
        {"username": "ninguem@exemplo.test", "password": PASSWORD},
        {"username": "inativa@exemplo.test", "password": PASSWORD},
        {"username": "", "password": PASSWORD},
        {"username": "ana@exemplo.test\x00", "password": PASSWORD},
        {"username": "ana@exemplo.test", "password": None},
    ],
)
def test_wrong_unknown_and_inactive_do_not_enter(credentials):
    User.objects.create_user("ana@exemplo.test", PASSWORD)
    User.objects.create_user("inativa@exemplo.test", PASSWORD, is_active=False)

    assert authenticate(**credentials) is None


@pytest.mark.django_db
def test_an_unknown_e_mail_costs_a_hash_too(monkeypatch):
    hashed = []
    monkeypatch.setattr("accounts.authentication.make_password", hashed.append)

    authenticate(username="ninguem@exemplo.test", password=PASSWORD)

    assert hashed == [PASSWORD]


@pytest.mark.django_db
def test_without_a_password_nobody_enters():
    User.objects.create_user("ana@exemplo.test")

    assert authenticate(username="ana@exemplo.test", password="") is None
    assert authenticate(username="ana@exemplo.test", password="!") is None


@pytest.mark.parametrize("password", ["curta", "12345678901", "passwordpassword"[:8]])
def test_short_and_common_passwords_are_refused(password):
    with pytest.raises(ValidationError):
        validate_password(password)


@pytest.mark.django_db
def test_the_operator_is_created_from_the_command_line():
    user = User.objects.create_superuser("OP@exemplo.test", PASSWORD)

    assert user.is_superuser
    assert user.is_staff
    assert user.has_perm("accounts.delete_user")
