"""Calls of tasks that work off whatever waits (accounts.services.calls)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_webhooks")]

    operations = [
        migrations.CreateModel(
            name="TaskCall",
            fields=[
                (
                    "task",
                    models.CharField(
                        max_length=100, primary_key=True, serialize=False, verbose_name="tarefa"
                    ),
                ),
                (
                    "called_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="chamada em"),
                ),
            ],
            options={
                "verbose_name": "chamada de tarefa",
                "verbose_name_plural": "chamadas de tarefas",
            },
        ),
    ]
