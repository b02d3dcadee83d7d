"""Is the process alive, and may visitors be sent to it?"""

import shutil
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

#: Below this much free space no new visitors: their responses might not be stored.
MIN_FREE_BYTES = 200_000_000


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Whoever restarts dead servers asks this one."""
    return JsonResponse({"live": True})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Database, its tables and the disk are as they must be. A balancer asks this one."""
    parts = {"database": database, "migrations": migrations, "disk": disk}
    found = {name: _try(part) for name, part in parts.items()}
    is_ready = all(found.values())
    return JsonResponse({"ready": is_ready, **found}, status=200 if is_ready else 503)


def _try(part: Callable[[], bool]) -> bool:
    try:
        return part()
    except (DatabaseError, InterfaceError, OSError):
        return False


def database() -> bool:
    """Whether the database answers."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def migrations() -> bool:
    """Whether every migration of this code has been applied."""
    return not pending_migrations()


def pending_migrations() -> list[str]:
    """Migrations that this code has and the database has not."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def disk() -> bool:
    """Whether there is room where the database (if it is a file) and the images lie."""
    return all(free_bytes(folder) >= MIN_FREE_BYTES for folder in folders())


def folders() -> list[Path]:
    """Where this process writes."""
    config = settings.DATABASES[DEFAULT_DB_ALIAS]
    is_file = config["ENGINE"].endswith("sqlite3")
    return [Path(config["NAME"]).parent] * is_file + [Path(settings.MEDIA_ROOT)]


def free_bytes(folder: Path) -> int:
    """Free space where a folder lies or will lie."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
