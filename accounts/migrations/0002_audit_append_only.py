from django.db import migrations

from lib import append_only


def install(apps, schema_editor):
    append_only.install(schema_editor.connection, "accounts_auditevent")


def remove(apps, schema_editor):
    append_only.remove(schema_editor.connection, "accounts_auditevent")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
