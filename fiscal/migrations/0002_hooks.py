import django.db.models.deletion
import django_fsm
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_webhooks'),
        ('fiscal', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='FiscalHook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(max_length=12, unique=True, verbose_name='id')),
                ('ambiente', models.CharField(blank=True, max_length=11, verbose_name='ambiente')),
                ('event', models.CharField(max_length=30, verbose_name='evento')),
                ('url', models.CharField(max_length=2000, verbose_name='URL')),
                ('authorization', models.TextField(blank=True, editable=False, verbose_name='autorização')),
                ('authorization_header', models.CharField(default='Authorization', max_length=60, verbose_name='cabeçalho')),
                ('state', django_fsm.FSMField(choices=[('ativo', 'Ativo'), ('desativado', 'Desativado')], default='ativo', max_length=50, protected=True, verbose_name='situação')),
                ('disabled_at', models.DateTimeField(blank=True, null=True, verbose_name='desativado em')),
                ('recent', models.JSONField(blank=True, default=dict, editable=False, verbose_name='últimos dois dias')),
                ('failing_since', models.DateTimeField(blank=True, null=True, verbose_name='falhando desde')),
                ('bad_since', models.DateTimeField(blank=True, null=True, verbose_name='maioria de falhas desde')),
                ('last_tried_at', models.DateTimeField(blank=True, null=True, verbose_name='última tentativa')),
                ('nudged_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='chamado em')),
                ('created_at', models.DateTimeField(verbose_name='criado em')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='conta')),
                ('company', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='hooks', to='fiscal.company', verbose_name='empresa')),
            ],
            options={
                'verbose_name': 'gatilho',
                'verbose_name_plural': 'gatilhos',
            },
        ),
        migrations.CreateModel(
            name='HookNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', django_fsm.FSMField(choices=[('aguardando', 'Aguardando'), ('entregue', 'Entregue'), ('desistiu', 'Não entregue')], default='aguardando', max_length=50, protected=True, verbose_name='resultado')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='tentativas')),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True, verbose_name='próxima tentativa')),
                ('last_attempt_at', models.DateTimeField(blank=True, null=True, verbose_name='última tentativa')),
                ('last_status', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='HTTP')),
                ('last_ms', models.PositiveIntegerField(blank=True, null=True, verbose_name='duração (ms)')),
                ('last_error', models.CharField(blank=True, max_length=300, verbose_name='erro')),
                ('last_body', models.TextField(blank=True, verbose_name='último corpo enviado')),
                ('last_answer', models.TextField(blank=True, verbose_name='início da última resposta (4 KB)')),
                ('created_at', models.DateTimeField(db_index=True, verbose_name='criado em')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='conta')),
                ('document', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='fiscal.fiscaldocument', verbose_name='documento')),
                ('hook', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='fiscal.fiscalhook', verbose_name='gatilho')),
                ('inutilizacao', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='fiscal.inutilizacao', verbose_name='inutilização')),
            ],
            options={
                'verbose_name': 'aviso de gatilho',
                'verbose_name_plural': 'avisos de gatilhos',
            },
        ),
        migrations.AddIndex(
            model_name='fiscalhook',
            index=models.Index(condition=models.Q(('state', 'ativo')), fields=['account', 'event'], name='fiscalhook_told'),
        ),
        migrations.AddIndex(
            model_name='hooknotice',
            index=models.Index(condition=models.Q(('state', 'aguardando')), fields=['hook', 'next_attempt_at', 'id'], name='hooknotice_due'),
        ),
        migrations.AddConstraint(
            model_name='hooknotice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'aguardando'), _negated=True), ('next_attempt_at__isnull', False), _connector='OR'), name='hooknotice_pending_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='hooknotice',
            constraint=models.CheckConstraint(condition=models.Q(('document', None), ('inutilizacao', None), _connector='XOR'), name='hooknotice_one_subject'),
        ),
    ]
