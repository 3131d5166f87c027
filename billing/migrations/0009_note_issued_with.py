import django.core.serializers.json
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_notes_of_invoices")]

    operations = [
        migrations.AddField(
            model_name="invoicenote",
            name="issued_with",
            field=models.JSONField(
                blank=True,
                default=dict,
                encoder=django.core.serializers.json.DjangoJSONEncoder,
                verbose_name="dados com que foi emitida",
            ),
        ),
        migrations.RemoveIndex(model_name="invoicenote", name="invoicenote_sent"),
        migrations.AddIndex(
            model_name="invoicenote",
            index=models.Index(
                condition=models.Q(("state__in", ["sent", "refused", "cancelling"])),
                fields=["id"],
                name="invoicenote_awaited",
            ),
        ),
    ]
