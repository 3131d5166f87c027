import django.db.models.deletion
import django_fsm
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_webhooks'),
        ('fiscal', '0002_hooks'),
    ]

    operations = [
        migrations.CreateModel(
            name='Backup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.CharField(max_length=6, verbose_name='mês (AAAAMM)')),
                ('xmls', models.CharField(blank=True, max_length=200, verbose_name='arquivo de XML')),
                ('danfes', models.CharField(blank=True, max_length=200, verbose_name='arquivo de DANFE')),
                ('part', models.CharField(blank=True, choices=[('xmls', 'XML'), ('danfes', 'DANFE')], max_length=6, verbose_name='em preparo')),
                ('work', models.CharField(blank=True, max_length=200, verbose_name='arquivo em preparo')),
                ('position', models.CharField(blank=True, max_length=120, verbose_name='último documento incluído')),
                ('n_files', models.PositiveIntegerField(default=0, verbose_name='arquivos')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='começado em')),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True, verbose_name='continua em')),
                ('built_at', models.DateTimeField(blank=True, null=True, verbose_name='pronto em')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='conta')),
                ('company', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='backups', to='fiscal.company')),
            ],
            options={
                'verbose_name': 'backup',
                'verbose_name_plural': 'backups',
                'indexes': [models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at', 'id'], name='backup_due')],
                'constraints': [models.UniqueConstraint(fields=('company', 'month'), name='backup_month')],
            },
        ),
        migrations.CreateModel(
            name='BlockedEmail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.CharField(max_length=254, verbose_name='e-mail')),
                ('block_type', models.CharField(choices=[('bounce', 'Devolução'), ('complaint', 'Reclamação')], max_length=9, verbose_name='motivo')),
                ('bounce_type', models.CharField(blank=True, choices=[('transient', 'Passageira'), ('permanent', 'Permanente')], max_length=9, verbose_name='tipo de devolução')),
                ('diagnostic_code', models.CharField(blank=True, max_length=300, verbose_name='diagnóstico')),
                ('blocked_at', models.DateTimeField(verbose_name='bloqueado em')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='conta')),
            ],
            options={
                'verbose_name': 'e-mail bloqueado',
                'verbose_name_plural': 'e-mails bloqueados',
                'constraints': [models.UniqueConstraint(fields=('account', 'email'), name='blockedemail_once'), models.CheckConstraint(condition=models.Q(('block_type', 'bounce'), ('bounce_type', ''), _connector='XOR'), name='blockedemail_bounce')],
            },
        ),
        migrations.CreateModel(
            name='MailMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('autorizado', 'Autorização'), ('cancelado', 'Cancelamento'), ('carta_correcao', 'Carta de correção')], max_length=14, verbose_name='assunto')),
                ('n_seq', models.PositiveSmallIntegerField(default=0, verbose_name='carta de correção')),
                ('cause', models.CharField(max_length=40, verbose_name='origem')),
                ('recipient', models.CharField(max_length=254, verbose_name='destinatário')),
                ('message_id', models.CharField(max_length=200, unique=True, verbose_name='Message-ID')),
                ('state', django_fsm.FSMField(choices=[('pendente', 'Na fila'), ('enviado', 'Enviado'), ('ignorado', 'Não enviado: endereço bloqueado'), ('falhou', 'Falhou')], default='pendente', max_length=50, protected=True, verbose_name='situação')),
                ('n_attempts', models.PositiveIntegerField(default=0, verbose_name='tentativas')),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True, verbose_name='próxima tentativa')),
                ('last_error', models.CharField(blank=True, max_length=300, verbose_name='último erro')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='enviado em')),
                ('created_at', models.DateTimeField(verbose_name='criado em')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='conta')),
                ('company', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='fiscal.company', verbose_name='empresa')),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='fiscal.fiscaldocument', verbose_name='documento')),
            ],
            options={
                'verbose_name': 'e-mail de documento',
                'verbose_name_plural': 'e-mails de documentos',
                'indexes': [models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at', 'id'], name='mailmessage_due')],
                'constraints': [models.UniqueConstraint(fields=('document', 'cause', 'recipient'), name='mailmessage_once'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'enviado'), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='mailmessage_sent_has_moment')],
            },
            bases=(django_fsm.ConcurrentTransitionMixin, models.Model),
        ),
        migrations.CreateModel(
            name='PrintCache',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=10, verbose_name='impresso')),
                ('source_hash', models.CharField(max_length=64, verbose_name='resumo da origem')),
                ('content_hash', models.CharField(max_length=64, verbose_name='resumo do conteúdo')),
                ('size', models.PositiveIntegerField(verbose_name='tamanho (bytes)')),
                ('created_at', models.DateTimeField(verbose_name='gerado em')),
                ('last_accessed', models.DateTimeField(verbose_name='último acesso')),
                ('data', models.BinaryField()),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prints', to='fiscal.fiscaldocument', verbose_name='documento')),
            ],
            options={
                'verbose_name': 'impresso fiscal em cache',
                'verbose_name_plural': 'impressos fiscais em cache',
                'indexes': [models.Index(fields=['last_accessed', 'size'], name='printcache_last_accessed'), models.Index(fields=['created_at'], name='printcache_created')],
                'constraints': [models.UniqueConstraint(fields=('document', 'name'), name='printcache_key')],
            },
        ),
    ]
