from django.db import migrations

from lib import append_only

TABLES = ("billing_partysnapshot", "billing_documenttemplateversion", "billing_asset")


def install(apps, schema_editor):
    for table in TABLES:
        append_only.install(schema_editor.connection, table)


def remove(apps, schema_editor):
    for table in TABLES:
        append_only.remove(schema_editor.connection, table)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
