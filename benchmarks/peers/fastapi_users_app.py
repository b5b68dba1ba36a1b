"""fastapi-users: `python fastapi_users_app.py DATABASE_URL PORT TOKEN_FILE`. GET /me with a JWT and the user's row.

By its documentation: SQLAlchemy's async sessions on asyncpg, a JWT strategy, `current_user(active=True)`.
"""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

database_url, port, token_file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
SECRET = "a-secret-of-this-benchmark-and-of-nothing-else"  # noqa: S105
engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user as fastapi-users has it."""


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """What it does with users, unchanged."""

    reset_password_token_secret = verification_token_secret = SECRET


async def _session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


async def _users(session: Annotated[AsyncSession, Depends(_session)]) -> AsyncIterator[Any]:
    yield SQLAlchemyUserDatabase(session, User)


async def _manager(users: Annotated[Any, Depends(_users)]) -> AsyncIterator[Manager]:
    yield Manager(users)


def _strategy() -> JWTStrategy[User, uuid.UUID]:
    return JWTStrategy(secret=SECRET, lifetime_seconds=86_400)


backend = AuthenticationBackend(name="jwt", transport=BearerTransport(tokenUrl="login"), get_strategy=_strategy)
current_user = FastAPIUsers[User, uuid.UUID](_manager, [backend]).current_user(active=True)


@asynccontextmanager
async def _life(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        manager = Manager(SQLAlchemyUserDatabase(session, User))
        user = await manager.create(schemas.BaseUserCreate(email="bench@example.com", password="a password"))  # noqa: S106
        token_file.write_text(await _strategy().write_token(user))  # noqa: ASYNC240 - once, before it serves
    yield
    await engine.dispose()


app = FastAPI(lifespan=_life)


@app.get("/me")
async def me(user: Annotated[User, Depends(current_user)]) -> schemas.BaseUser[uuid.UUID]:
    """Who calls."""
    return schemas.BaseUser[uuid.UUID].model_validate(user)


uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_config=None, access_log=False, ws="none")
