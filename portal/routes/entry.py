"""Signing in and out, invitations, passwords, second factor, users (P01–P04, P20)."""

from django.urls import path

from portal.views import entry, invitation, password, second_factor, users

urlpatterns = [
    path("entrar/", entry.sign_in, name="portal-entrar"),
    path("sair/", entry.sign_out, name="portal-sair"),
    path("entrar/codigo/", second_factor.challenge, name="portal-codigo"),
    path("convite/", invitation.not_received, name="portal-convite-pedir"),
    path("convite/<str:token>/", invitation.accept, name="portal-convite"),
    path("convite/<str:token>/reenviar/", invitation.resend, name="portal-convite-reenviar"),
    path("senha/esqueci/", password.forgot, name="portal-esqueci"),
    path("senha/pedir/", password.ask_own, name="portal-senha-pedir"),
    path("senha/redefinir/<str:token>/", password.reset, name="portal-redefinir"),
    path("confirmar-senha/", entry.confirm_password, name="portal-confirmar-senha"),
    path("sem-empresa/", entry.no_company, name="portal-sem-empresa"),
    path("empresa/", entry.change_company, name="portal-trocar"),
    path("retomar/", entry.resume, name="portal-retomar"),
    path("sessao/", entry.still_here, name="portal-sessao"),
    path("seguranca/", second_factor.security, name="portal-seguranca"),
    path("seguranca/duas-etapas/", second_factor.set_up, name="portal-duas-etapas"),
    path("seguranca/codigos/", second_factor.new_codes, name="portal-codigos"),
    path("seguranca/desativar/", second_factor.turn_off, name="portal-duas-etapas-desativar"),
    path(
        "seguranca/sessoes/<int:session_id>/encerrar/",
        second_factor.end_session,
        name="portal-sessao-encerrar",
    ),
    path("seguranca/sessoes/encerrar/", second_factor.end_others, name="portal-sessoes-encerrar"),
    path("usuarios/", users.listing, name="portal-usuarios"),
    path("usuarios/<int:access_id>/papel/", users.role, name="portal-usuario-papel"),
    path("usuarios/<int:access_id>/remover/", users.remove, name="portal-usuario-remover"),
    path(
        "usuarios/convites/<int:invitation_id>/reenviar/",
        users.invitation_again,
        name="portal-usuario-reenviar",
    ),
    path(
        "usuarios/convites/<int:invitation_id>/retirar/",
        users.invitation_back,
        name="portal-usuario-retirar",
    ),
]
