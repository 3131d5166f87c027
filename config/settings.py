"""One settings file for development, tests and production; an empty environment is safe."""

from pathlib import Path

from config.env import (
    calendar_day,
    data_dir,
    database,
    env,
    flag,
    header_name,
    number,
    one_of,
    secret_key,
)
from lib.log import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = data_dir(BASE_DIR)

SECRET_KEY = secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = flag("DEBUG")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
AMBIENTE = one_of("AMBIENTE", "homologacao", "producao")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_fsm",
    "django_q",
    "accounts",
    "fiscal",
    "billing",
    "portal",
]

MIDDLEWARE = [
    "lib.log.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.middleware.CustomerPages",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.access.shell",
            ],
            "builtins": ["lib.templatetags.br"],
        },
    }
]

DATABASES = {"default": database(DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.authentication.EmailBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
SESSION_COOKIE_AGE = 60 * 60
SESSION_SAVE_EVERY_REQUEST = True

LANGUAGE_CODE = "pt-br"
TIME_ZONE = "America/Sao_Paulo"
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "media"

# A proforma of thousands of transactions posts one field for each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
HTTPS = flag("HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

calendar_day("UX_TODAY")
# Switches of the acceptance tests under /__teste__/ (ux §1.6). Never where real money moves.
TEST_ROUTES = flag("TEST_ROUTES") and AMBIENTE == "homologacao"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "lib.api_errors.billing_errors",
    "DEFAULT_SCHEMA_CLASS": "billing.api.openapi.BillingSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "API de faturamento",
    "DESCRIPTION": (
        "Clientes, contratos, faturamentos e recebimentos. Corpos e respostas são JSON; valores e "
        "percentuais vêm como texto, datas como dd/mm/aaaa. Tudo é visto pela conta do token: o "
        "que é de outra conta não existe (404). PUT faz o mesmo que PATCH: altera só o que foi "
        "enviado."
    ),
    "VERSION": "1",
    "SERVERS": [{"url": "/", "description": "Esta instalação"}],
    "PREPROCESSING_HOOKS": ["billing.api.openapi.only_v1"],
    "POSTPROCESSING_HOOKS": ["billing.api.openapi.add_components"],
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "SORT_OPERATION_PARAMETERS": False,
}
# Requests a minute that one API token may make; 0 is no limit. Without REDIS_URL every web process
# counts on its own.
RATE_LIMIT_PER_MINUTE = number("RATE_LIMIT_PER_MINUTE", default=600, least=0)
# The same for /v2 (fiscal-api §1.9), and how many wrong tokens an address may present a minute.
FISCAL_RATE_LIMIT_PER_MINUTE = number("FISCAL_RATE_LIMIT_PER_MINUTE", default=100, least=0)
FISCAL_AUTH_FAILURES_PER_MINUTE = number("FISCAL_AUTH_FAILURES_PER_MINUTE", default=20, least=0)
# Tasks that are queued with the primary key of a decided document, and of a voided range.
FISCAL_SUBSCRIBERS: tuple[str, ...] = ()
FISCAL_VOID_SUBSCRIBERS: tuple[str, ...] = ()
# Tasks that are queued with the primary key of a contract whose service is suspended, or resumed.
SUSPENSION_SUBSCRIBERS: tuple[str, ...] = ()
RESUMPTION_SUBSCRIBERS: tuple[str, ...] = ()
# Called, without keys and never twice at once, after decisions on service notes.
FISCAL_NOTE_SUBSCRIBERS: tuple[str, ...] = ("billing.tasks.work_off_notes",)
# Every authority at one address instead of the published ones (a sandbox), and a file of trust
# anchors beside the usual ones.
FISCAL_ENDPOINTS_BASE = env.str("FISCAL_ENDPOINTS_BASE", default="")
FISCAL_CA_FILE = env.str("FISCAL_CA_FILE", default="")
# National NFS-e: algorithms of signatures and, where it moved, the address of Sefin.
NFSEN_SIGNATURE = {
    "homologacao": one_of("NFSEN_SIGNATURE_HOMOLOGACAO", "rsa-sha1", "rsa-sha256"),
    "producao": one_of("NFSEN_SIGNATURE_PRODUCAO", "rsa-sha1", "rsa-sha256"),
}
NFSEN_ENDPOINTS = {
    "homologacao": env.str("NFSEN_ENDPOINT_HOMOLOGACAO", default=""),
    "producao": env.str("NFSEN_ENDPOINT_PRODUCAO", default=""),
}
# NF-e that one worker of the queue has on their way at once (PostgreSQL; the embedded database: 1).
FISCAL_SENDERS = number("FISCAL_SENDERS", default=4)

# The installation's mail server, for companies without one of their own; empty sends nothing.
EMAIL_HOST = env.str("EMAIL_HOST", default="")
EMAIL_PORT = number("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS")  # STARTTLS
EMAIL_USE_SSL = flag("EMAIL_USE_SSL")
EMAIL_TIMEOUT = number("EMAIL_TIMEOUT", default=20)  # seconds, for each step
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="nao-responda@localhost")
# Without a mail server e-mails of invoices are told on the terminal; for development.
EMAIL_CONSOLE = flag("EMAIL_CONSOLE")
# For accounts of Mailjet that name no other; one of mailjet.com, or on this machine.
MAILJET_URL = env.str("MAILJET_URL", default="https://api.mailjet.com").rstrip("/")
# May a company's own mail server be in a private network? For installations inside of one.
SMTP_ALLOW_PRIVATE = flag("SMTP_ALLOW_PRIVATE")

# The database is the broker, so enqueue() commits or vanishes with the change it announces.
# retry > timeout * (ceil((queue_limit + 1) / workers) + 1): the clock starts at the fetch.
Q_CLUSTER = {
    "name": "faturamento",
    "orm": "default",
    "workers": number("WORKERS", default=2),
    "queue_limit": 2,
    "bulk": 1,
    "timeout": 120,
    "retry": 600,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 0,
    # A new worker loads schemas and layouts again; max_rss bounds what an old one may gather.
    "recycle": 2_000,
    "max_rss": 400_000,
    "label": "Tarefas",
}

# Where index values come from; {series} is the Banco Central SGS number (IDX-9).
SGS_URL = env.str("SGS_URL", default="https://api.bcb.gov.br/dados/serie/bcdata.sgs.{series}/dados")
# Where an address is asked for by its CEP, in the form of ViaCEP; empty asks nobody outside.
CEP_URL = env.str("CEP_URL", default="https://viacep.com.br/ws/{cep}/json/")
# Stand-ins of the providers of payments and e-mail, which the demonstration's accounts lead to.
PROVIDERS_SANDBOX = env.str("PROVIDERS_SANDBOX", default="").rstrip("/")
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")

# PDF cache limits (PDF-5).
PDF_CACHE_DAYS = number("PDF_CACHE_DAYS", default=90)
PDF_CACHE_IDLE_DAYS = number("PDF_CACHE_IDLE_DAYS", default=30)
PDF_CACHE_MAX_BYTES = number("PDF_CACHE_MAX_BYTES", default=2_000_000_000)

# Webhooks go to https and public addresses only (WH-8); these two are for development.
WEBHOOK_ALLOW_HTTP = flag("WEBHOOK_ALLOW_HTTP")
WEBHOOK_ALLOW_PRIVATE = flag("WEBHOOK_ALLOW_PRIVATE")
# X-Webhook-RequestId and X-Webhook-Signature begin with it.
WEBHOOK_HEADER_PREFIX = header_name("WEBHOOK_HEADER_PREFIX", default="X-Webhook")

# For how long the link to an invoice's attachment works.
FILE_LINK_HOURS = number("FILE_LINK_HOURS", default=24)

IMPORT_MAX_BYTES = number("IMPORT_MAX_BYTES", default=50_000_000)

LOGGING = logging_config(level=one_of("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"))
