//! The secret that a request carries in its `Authorization` header.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use molos::rusqlite::Connection;

use super::State;
use crate::access::{self, Access};
use crate::error::Result;
use crate::now;

pub(super) struct Bearer(Option<String>);

impl<S: Sync> FromRequestParts<S> for Bearer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, secret) = header.and_then(|value| value.split_once(' ')).unwrap_or_default();
        Ok(Self(scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim().to_owned())))
    }
}

impl Bearer {
    pub(super) fn secret(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Reads, if that is allowed, in the same state of the database in which it is.
    pub(super) async fn read<T: Send + 'static>(
        self,
        state: &State,
        access: Access<'static>,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        state.store.blocking(move |store| store.read(self.guard(access, work))).await
    }

    /// Writes, if that is allowed, in the same state of the database in which it is.
    pub(super) async fn write<T: Send + 'static>(
        self,
        state: &State,
        access: Access<'static>,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        state.store.blocking(move |store| store.write(self.guard(access, work))).await
    }

    fn guard<T>(
        self,
        access: Access<'static>,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> impl FnOnce(&Connection) -> Result<T> {
        move |conn| {
            access::authorize(conn, self.secret(), &access, now())?;
            work(conn)
        }
    }
}
