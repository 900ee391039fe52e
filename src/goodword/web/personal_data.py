"""Personal data: stored responses of idempotent requests."""

from goodword.db.personal_data import PersonalData, delete_rows, rows_of
from goodword.web.models import IdempotencyKey

PERSONAL_DATA = (
    PersonalData(
        model=IdempotencyKey,
        erase=delete_rows(IdempotencyKey),
        export={"stored_answers": rows_of(IdempotencyKey, "route key status created_at")},
    ),
)
