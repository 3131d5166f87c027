"""Keys are unique within a company and environment; what certificates are told of is kept."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fiscal", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="fiscaldocument", name="fiscaldocument_chave"),
        migrations.AddConstraint(
            model_name="fiscaldocument",
            constraint=models.UniqueConstraint(
                fields=("chave", "company", "ambiente"), name="fiscaldocument_chave"
            ),
        ),
        migrations.AddField(
            model_name="certificate",
            name="warnings",
            field=models.JSONField(blank=True, default=list, verbose_name="avisos"),
        ),
        migrations.AlterField(
            model_name="mailmessage",
            name="document",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="fiscal.fiscaldocument",
                verbose_name="documento",
            ),
        ),
        migrations.AddField(
            model_name="mailmessage",
            name="certificate",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="fiscal.certificate",
                verbose_name="certificado",
            ),
        ),
        migrations.AlterField(
            model_name="mailmessage",
            name="kind",
            field=models.CharField(
                choices=[
                    ("autorizado", "Autorização"),
                    ("cancelado", "Cancelamento"),
                    ("carta_correcao", "Carta de correção"),
                    ("certificado", "Certificado a vencer"),
                ],
                max_length=14,
                verbose_name="assunto",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailmessage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("document", None)),
                fields=("account", "cause", "recipient"),
                name="mailmessage_once_alone",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind", "certificado"), ("document__isnull", False), _connector="XOR"
                ),
                name="mailmessage_has_document",
            ),
        ),
    ]
