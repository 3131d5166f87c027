"""The e-mail about an export that has ended."""

from __future__ import annotations

from django.conf import settings

from accounts.models import Job
from billing.models import Party
from billing.services.emails.letters import send_letter
from billing.services.exports.asking import KIND, label_of
from billing.services.exports.files import stored_of
from lib import clock
from lib.br import date_br
from lib.templatetags.br import data


def tell(job_id: int) -> bool:
    """Tell whoever asked, once; False when there is nobody to tell. Safe to run again."""
    job = Job.objects.select_related("account", "started_by").filter(pk=job_id, kind=KIND).first()
    if job is None or job.started_by is None:
        return False
    customer = Party.objects.of(job.account).filter(pk=job.params["customer"]).first()
    if customer is None:
        return False
    stored = stored_of(job, now=clock.now())
    send_letter(
        job.account,
        customer=customer,
        recipient=job.started_by.email,
        template="exportacao_pronta" if stored is not None else "exportacao_falhou",
        context={
            "nome": job.started_by.name,
            "o_que": label_of(job),
            "endereco": f"{settings.PUBLIC_URL}/central/tarefas/{job.pk}/",
            "ate": data(stored.until) if stored is not None else date_br(clock.today()),
            "erros": job.n_failed,
        },
        key=f"export:{job.pk}",
    )
    return True
