"""Scheduled tasks of every app, kept in step with this list at each start."""

from __future__ import annotations

from dataclasses import dataclass

from django_q.models import Schedule

from lib import clock


@dataclass(frozen=True)
class Entry:
    """A task and its cron line, in São Paulo time."""

    name: str
    task: str
    cron: str


SCHEDULES = [
    Entry("sinal de vida", "accounts.tasks.beat", "* * * * *"),
    Entry("tarefas sem sinal", "accounts.tasks.sweep_jobs", "*/2 * * * *"),
    Entry("rodada noturna", "billing.tasks.nightly_run", "10 3 * * *"),
    Entry("cancelamentos pedidos", "billing.tasks.carry_out_cancellations", "5 * * * *"),
    Entry("pendências das faturas", "billing.tasks.sweep_follow_ups", "*/5 * * * *"),
    Entry("notas das faturas", "billing.tasks.work_off_notes", "* * * * *"),
    # The hours of steps are full ones, in every zone; what is selected is done from then on.
    Entry("réguas de cobrança", "billing.tasks.run_dunning", "1,31 * * * *"),
    Entry("passos das réguas", "billing.tasks.work_off_dunning", "*/5 * * * *"),
    Entry("índices do Banco Central", "billing.tasks.fetch_indexes", "30 9 * * *"),
    Entry("avisos de provedores", "billing.tasks.sweep_notices", "* * * * *"),
    Entry("cobranças Pix", "billing.tasks.sweep_pix", "* * * * *"),
    Entry("Pix recebidos", "billing.tasks.reconcile_pix", "17 * * * *"),
    Entry("registro de boletos", "billing.tasks.sweep_boletos", "* * * * *"),
    Entry("boletos liquidados", "billing.tasks.fetch_settlements", "*/10 * * * *"),
    Entry("boletos sem prazo", "billing.tasks.expire_boletos", "25 * * * *"),
    Entry("uso do crédito dos clientes", "billing.tasks.use_credits", "50 3 * * *"),
    Entry("e-mails das faturas", "billing.tasks.send_emails", "* * * * *"),
    Entry("pagamentos por cartão", "billing.tasks.check_card_payments", "* * * * *"),
    Entry("cartões a cobrar", "billing.tasks.queue_due_cards", "15 7 * * *"),
    Entry("conciliação dos cartões", "billing.tasks.reconcile_cards", "40 5 * * *"),
    Entry("resumos mensais", "billing.tasks.send_summaries", "10 11 1 * *"),
    Entry("limpeza do cache de PDF", "billing.tasks.purge_pdf_cache", "40 4 * * *"),
    Entry("limpeza de anexos sem fatura", "billing.tasks.purge_attachments", "45 4 * * *"),
    Entry("limpeza de exportações", "billing.tasks.purge_exports", "47 4 * * *"),
    Entry("contagens de faturas", "billing.tasks.merge_tallies", "*/15 * * * *"),
    Entry("invariantes", "billing.tasks.check_invariants", "20 5 * * *"),
    Entry("avisos a integradores", "accounts.tasks.deliver_webhooks", "* * * * *"),
    Entry("limpeza dos avisos a integradores", "accounts.tasks.purge_webhooks", "0 5 * * *"),
    Entry("chaves de idempotência", "accounts.tasks.purge_idempotency", "20 * * * *"),
    Entry("sessões e tentativas antigas", "accounts.tasks.purge_sign_in", "55 4 * * *"),
    Entry("documentos fiscais à espera", "fiscal.tasks.sweep_documents", "* * * * *"),
    Entry("situação das autoridades", "fiscal.tasks.review_authorities", "* * * * *"),
    Entry("certificados a vencer", "fiscal.tasks.warn_certificates", "0 6 * * *"),
    Entry("avisos de gatilhos", "fiscal.tasks.deliver_hooks", "* * * * *"),
    Entry("limpeza dos avisos de gatilhos", "fiscal.tasks.purge_hooks", "5 5 * * *"),
    Entry("numeração sem documento", "fiscal.tasks.sweep_numbers", "30 4 * * *"),
    Entry("e-mails e backups à espera", "fiscal.tasks.sweep_deliveries", "* * * * *"),
    Entry("backups mensais", "fiscal.tasks.prepare_backups", "0 2 * * *"),
    Entry("documentos recebidos", "fiscal.tasks.sweep_received", "*/5 * * * *"),
    Entry("limpeza dos impressos fiscais", "fiscal.tasks.purge_prints", "42 4 * * *"),
    Entry("resultados antigos da fila", "accounts.tasks.prune_queue", "50 4 * * *"),
]


def ensure_schedules() -> None:
    """Create, change or remove schedule rows so that they equal SCHEDULES; safe to repeat."""
    for entry in SCHEDULES:
        Schedule.objects.update_or_create(
            name=entry.name,
            defaults={"func": entry.task, "schedule_type": Schedule.CRON, "cron": entry.cron},
            create_defaults={
                "func": entry.task,
                "schedule_type": Schedule.CRON,
                "cron": entry.cron,
                "next_run": clock.now(),
            },
        )
    Schedule.objects.exclude(name__in=[entry.name for entry in SCHEDULES]).delete()
