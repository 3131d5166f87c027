"""The back-office's door, people, tokens and trail."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from factories import MembershipFactory, UserFactory
from support.rows import one_of_each

from accounts.models import Account, ApiToken, AuditEvent, Job, Membership, User
from accounts.services.audit import SYSTEM, record
from accounts.services.tokens import create_token, find_token
from billing.models import CustomerAccess

PASSWORD = "uma senha comprida"
NO_ROLES = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture(autouse=True)
def _quick_passwords(settings) -> None:
    """What Argon2 does is told in test_users.py."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def administrator(account: Account) -> User:
    return MembershipFactory(account=account, role="admin").user


def url(model: str, action: str, *args: object) -> str:
    return reverse(f"admin:accounts_{model}_{action}", args=args)


def enter(client: Client, email: str, password: str = PASSWORD) -> str:
    answer = client.post("/admin/login/", {"username": email, "password": password})
    return answer.content.decode()


# --- the door ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_staff_enter_with_e_mail_and_password(account, client):
    user = MembershipFactory(account=account, user__password=PASSWORD).user

    answer = client.post(
        "/admin/login/?next=/admin/billing/invoice/",
        {"username": user.email.upper(), "password": PASSWORD,
         "next": "/admin/billing/invoice/"},
    )  # fmt: skip

    assert (answer.status_code, answer["Location"]) == (302, "/admin/billing/invoice/")


@pytest.mark.django_db
def test_a_customer_with_the_right_password_is_sent_to_the_portal_and_gets_no_session(
    account, client
):
    user = one_of_each(account)[CustomerAccess].user
    user.set_password(PASSWORD)
    user.save()

    text = enter(client, user.email)

    assert "Esta área é da equipe. Acesse a Central de Faturas." in text
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_wrong_unknown_and_inactive_get_the_same_alert(account, client):
    user = MembershipFactory(account=account, user__password=PASSWORD).user
    UserFactory(email="inativa@exemplo.test", password=PASSWORD, is_active=False)

    pages = {
        enter(client, user.email, "outra"),
        enter(client, "ninguem@exemplo.test"),
        enter(client, "inativa@exemplo.test"),
    }

    alerts = {re.search(r'<p class="errornote"[^>]*>.*?</p>', page, re.S)[0] for page in pages}
    assert alerts == {'<p class="errornote" role="alert">E-mail ou senha incorretos.</p>'}


@pytest.mark.django_db
@pytest.mark.parametrize(("ambiente", "shown"), [("homologacao", True), ("producao", False)])
def test_every_page_says_when_it_is_not_for_real(account, settings, ambiente, shown):
    settings.AMBIENTE = ambiente
    client = signed_in(administrator(account))

    for path in ("/admin/", "/admin/billing/invoice/", "/admin/accounts/apitoken/add/"):
        assert ("HOMOLOGAÇÃO" in client.get(path).content.decode()) is shown
    assert ("HOMOLOGAÇÃO" in Client().get("/admin/login/").content.decode()) is shown


@pytest.mark.django_db
def test_the_menu_shows_what_the_role_opens(account):
    suporte = MembershipFactory(account=account, role="suporte").user

    text = signed_in(suporte).get("/admin/").content.decode()

    assert "/admin/billing/invoice/" in text
    assert "/admin/accounts/apitoken/" not in text
    assert "/admin/billing/invoiceline/" not in text


# --- people --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_administrator_adds_a_person_with_a_role_in_the_own_account(account, other_account):
    data = {
        "email": "Nova@Exemplo.test",
        "name": "Nova",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-account": account.pk,
        "memberships-0-role": "fiscal",
    }
    client = signed_in(administrator(account))

    foreign = client.post(url("user", "add"), data | {"memberships-0-account": other_account.pk})
    client.post(url("user", "add"), data)

    user = User.objects.get(email="nova@exemplo.test")
    assert foreign.status_code == 200
    assert user.check_password(PASSWORD)
    assert list(user.memberships.values_list("account", "role")) == [(account.pk, "fiscal")]
    event = AuditEvent.objects.get(action="usuario.criado")
    assert (event.account, event.object_id) == (account, user.pk)
    assert PASSWORD not in str(event.after)


@pytest.mark.django_db
def test_a_person_without_any_role_is_not_added_by_an_administrator(account):
    answer = signed_in(administrator(account)).post(
        url("user", "add"),
        {"email": "nova@exemplo.test", "usable_password": "false",
         "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0"},
    )  # fmt: skip

    assert answer.status_code == 200
    assert not User.objects.filter(email="nova@exemplo.test").exists()


@pytest.mark.django_db
def test_an_e_mail_that_exists_is_refused_in_words(account):
    UserFactory(email="ana@exemplo.test")

    answer = signed_in(administrator(account)).post(
        url("user", "add"), {"email": "ANA@exemplo.test", "usable_password": "false", **NO_ROLES}
    )

    errors = answer.context["adminform"].form.errors
    assert errors["email"] == ["Este e-mail já tem acesso."]


@pytest.mark.django_db
def test_nobody_changes_their_own_role_nor_locks_themselves_out(account):
    user = administrator(account)
    client = signed_in(user)
    role = user.memberships.get()

    changed = client.post(url("membership", "change", role.pk), {"role": "suporte"})
    deleted = client.post(url("membership", "delete", role.pk), {"post": "yes"})
    client.post(
        url("user", "change", user.pk),
        {"email": user.email, "name": "Eu", "memberships-TOTAL_FORMS": "1",
         "memberships-INITIAL_FORMS": "1", "memberships-0-id": role.pk,
         "memberships-0-user": user.pk, "memberships-0-role": "suporte",
         "memberships-0-account": account.pk, "memberships-0-DELETE": "on"},
    )  # fmt: skip

    user = User.objects.get(pk=user.pk)
    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert (user.name, user.is_active, user.memberships.get().role) == ("Eu", True, "admin")


@pytest.mark.django_db
def test_an_administrator_makes_nobody_the_operator(account):
    other = MembershipFactory(account=account, role="suporte").user

    signed_in(administrator(account)).post(
        url("user", "change", other.pk),
        {"email": other.email, "name": "X", "is_active": "on", "is_superuser": "on", **NO_ROLES},
    )

    other = User.objects.get(pk=other.pk)
    assert (other.name, other.is_superuser) == ("X", False)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["operator", "person of two accounts"])
def test_the_password_of_who_also_works_elsewhere_is_not_the_administrator_s(
    account, other_account, who
):
    member = MembershipFactory(account=account, role="suporte", user__password=PASSWORD).user
    if who == "operator":
        User.objects.filter(pk=member.pk).update(is_superuser=True)
    else:
        MembershipFactory(account=other_account, user=member)
    client = signed_in(administrator(account))

    seen = client.get(url("user", "change", member.pk))
    answer = client.post(
        reverse("admin:auth_user_password_change", args=(member.pk,)),
        {"password1": "tomada de assalto", "password2": "tomada de assalto",
         "usable_password": "true"},
    )  # fmt: skip

    assert seen.status_code == 200
    assert answer.status_code == 403
    assert User.objects.get(pk=member.pk).check_password(PASSWORD)


@pytest.mark.django_db
def test_a_new_password_is_hashed_and_told_without_itself(account):
    member = MembershipFactory(account=account, role="suporte").user
    given = {"password1": PASSWORD, "password2": PASSWORD, "set-password": "x"}

    signed_in(administrator(account)).post(
        reverse("admin:auth_user_password_change", args=(member.pk,)), given
    )

    assert User.objects.get(pk=member.pk).check_password(PASSWORD)
    event = AuditEvent.objects.get(action="usuario.alterado")
    assert PASSWORD not in f"{event.before}{event.after}"


@pytest.mark.django_db
def test_an_administrator_sets_the_account_s_habits_and_not_its_existence(account):
    data = {"name": "Outra", "slug": "tomada", "is_active": "", "monthly_block_months": "12",
            "monthly_ahead_months": "6", "weekly_block_months": "6",
            "weekly_ahead_months": "1"}  # fmt: skip

    signed_in(administrator(account)).post(url("account", "change", account.pk), data)

    account = Account.objects.get()
    assert (account.name, account.monthly_block_months) == ("Outra", 12)
    assert (account.slug, account.is_active) == ("exemplo", True)


# --- tokens --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_token_is_shown_once_when_it_is_created_and_never_again(account):
    client = signed_in(administrator(account))

    answer = client.post(url("apitoken", "add"), {"name": "ERP", "scope": "billing"})

    raw = re.search(r"<pre>([0-9a-f]{32})</pre>", answer.content.decode())[1]
    token = ApiToken.objects.get()
    assert find_token(raw) == token
    assert "no-store" in answer["Cache-Control"]
    assert list(get_messages(answer.wsgi_request)) == []
    for path in (url("apitoken", "changelist"), url("apitoken", "change", token.pk)):
        page = client.get(path).content.decode()
        assert raw not in page
        assert token.digest not in page
    assert [e.action for e in AuditEvent.objects.all()] == ["token.criado"]


@pytest.mark.django_db
def test_a_fiscal_token_without_company_is_refused_beside_the_field(account):
    answer = signed_in(administrator(account)).post(
        url("apitoken", "add"), {"name": "NF", "scope": "fiscal"}
    )

    assert "company_cnpj" in answer.context["adminform"].form.errors
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_chosen_tokens_are_revoked_through_the_service_and_others_are_not(account, other_account):
    mine, raw = create_token(account, name="ERP", scope="billing")
    theirs, foreign = create_token(other_account, name="ERP", scope="billing")

    signed_in(administrator(account)).post(
        url("apitoken", "changelist"),
        {"action": "revoke", "_selected_action": [mine.pk, theirs.pk]},
    )

    assert find_token(raw) is None
    assert find_token(foreign) == theirs
    assert AuditEvent.objects.filter(action="token.revogado").count() == 1


# --- trail and tasks -----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["admin", "operator"])
def test_nobody_adds_changes_or_deletes_what_the_trail_says(account, who):
    record(account, actor=SYSTEM, action="teste.feito", after={"valor": "1.00"})
    event = AuditEvent.objects.get()
    user = administrator(account) if who == "admin" else UserFactory(is_superuser=True)
    client = signed_in(user)
    paths = [
        url("auditevent", "add"),
        url("auditevent", "change", event.pk),
        url("auditevent", "delete", event.pk),
    ]

    answers = [m(path).status_code for path in paths for m in (client.get, client.post)]

    assert answers == [403] * 6
    detail = client.get(reverse("admin:accounts_auditevent_detail", args=(event.pk,)))
    assert "1.00" in detail.content.decode()


@pytest.mark.django_db
def test_who_reads_only_the_own_area_sees_what_they_may_change(account):
    rows = one_of_each(account)
    for target in (rows[ApiToken], rows[CustomerAccess].customer):
        record(account, actor=SYSTEM, action="teste.feito", target=target)
    fiscal = MembershipFactory(account=account, role="fiscal").user

    listed = signed_in(fiscal).get(url("auditevent", "changelist"), {"q": "teste.feito"})

    assert {event.object_type for event in listed.context["cl"].queryset} == {"party"}


@pytest.mark.django_db
def test_a_task_is_asked_to_stop_from_its_list(account):
    job = Job.objects.create(account=account, kind="billing.run")

    signed_in(administrator(account)).post(
        url("job", "changelist"), {"action": "cancel", "_selected_action": [job.pk]}
    )

    assert Job.objects.get().state == "cancelled"


@pytest.mark.django_db
def test_a_membership_of_another_account_is_out_of_reach(account, other_account):
    theirs = MembershipFactory(account=other_account, role="suporte")

    answer = signed_in(administrator(account)).post(
        url("membership", "change", theirs.pk), {"role": "admin"}
    )

    assert answer.status_code == 404
    assert Membership.objects.get(pk=theirs.pk).role == "suporte"
