"""Personal data: consents to apps, and authorization codes."""

from typing import Any

from sqlalchemy import select

from goodword.db.personal_data import PersonalData, Rows, delete_rows, fields_of, rows_by_id
from goodword.oauth.models import OAuthClient, OAuthCode, OAuthGrant


def _rows(model: type[OAuthGrant] | type[OAuthCode], fields: str) -> Rows:
    table: Any = model.__table__
    columns = [column for column in table.c if column.name != "client_id"]
    query = select(*columns, OAuthClient.client_id, OAuthClient.name)
    joined = query.join(OAuthClient, OAuthClient.id == table.c.client_id)
    return rows_by_id(joined, table.c.user_id, table.c.id, fields_of(fields))


PERSONAL_DATA = (
    PersonalData(
        model=OAuthGrant,
        erase=delete_rows(OAuthGrant),
        export={"apps": _rows(OAuthGrant, "client_id name scope created_at")},
    ),
    PersonalData(
        model=OAuthCode,
        erase=delete_rows(OAuthCode),
        export={
            "app_sign_ins": _rows(
                OAuthCode, "client_id name scope redirect_uri created_at expires_at used_at"
            )
        },
    ),
)
