//! Where telephones of the house are.

use std::net::SocketAddr;

use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError};

/// One telephone's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its Contact.
    pub uri: String,
    /// Where it registered from.
    pub peer: SocketAddr,
    /// At which of our addresses.
    pub local: SocketAddr,
    /// Milliseconds since 1970, UTC.
    pub expires_ms: i64,
    /// The proxies it came by, the nearest first (RFC 3327).
    pub path: Vec<String>,
}

impl Registration {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let address = |column: &str| -> Result<SocketAddr, StoreError> {
            let text: String = row.try_get(column)?;
            text.parse().map_err(|_| StoreError::Corrupt("an address that is none"))
        };
        Ok(Self {
            uri: row.try_get("uri")?,
            peer: address("peer")?,
            local: address("local")?,
            expires_ms: row.try_get("expires_ms")?,
            path: row.try_get::<String, _>("path")?.lines().map(str::to_owned).collect(),
        })
    }
}

impl Store {
    /// All that are good at this time, with their accounts; what is over is forgotten.
    pub async fn registrations(&self, now_ms: i64) -> Result<Vec<(String, Registration)>, StoreError> {
        sqlx::query("DELETE FROM registrations WHERE expires_ms <= $1").bind(now_ms).execute(&self.pool).await?;
        let text = "SELECT account, uri, peer, local, expires_ms, path FROM registrations ORDER BY account, expires_ms";
        let rows = sqlx::query(text).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("account")?, Registration::of(row)?))).collect()
    }

    /// An account's, in the place of what was there.
    pub async fn set_registrations(&self, account: &str, places: &[Registration]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM registrations WHERE account = $1").bind(account).execute(&mut *transaction).await?;
        for place in places {
            let text = "INSERT INTO registrations (account, uri, peer, local, expires_ms, path) VALUES ($1, $2, $3, $4, $5, $6)";
            let query = sqlx::query(text)
                .bind(account)
                .bind(&place.uri)
                .bind(place.peer.to_string())
                .bind(place.local.to_string())
                .bind(place.expires_ms)
                // No field of a message has a line end in it.
                .bind(place.path.join("\n"));
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
