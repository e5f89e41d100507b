//! Sites and their shared rooms.

use model::{RoomId, SiteId};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, count, exists, flag, id};

/// A customer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// For ever.
    pub id: SiteId,
    /// As people read it.
    pub name: String,
    /// 并发.
    pub ports: u32,
    /// Bookings may have a livestream.
    pub livestream: bool,
    /// IANA.
    pub zone: String,
}

/// A shared room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// For ever.
    pub id: RoomId,
    /// Whose.
    pub site: SiteId,
    /// As people read it.
    pub name: String,
    /// 方数.
    pub capacity: u32,
}

impl Site {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id(row, "id")?,
            name: row.try_get("name")?,
            ports: count(row, "ports")?,
            livestream: flag(row, "livestream")?,
            zone: row.try_get("zone")?,
        })
    }
}

impl Room {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: id(row, "id")?,
            site: id(row, "site_id")?,
            name: row.try_get("name")?,
            capacity: count(row, "capacity")?,
        })
    }
}

impl Store {
    /// Adds a site.
    pub async fn add_site(&self, site: &Site) -> Result<(), StoreError> {
        let text = "INSERT INTO sites (id, name, ports, livestream, zone) VALUES ($1, $2, $3, $4, $5)";
        let query = sqlx::query(text)
            .bind(site.id.to_string())
            .bind(&site.name)
            .bind(i64::from(site.ports))
            .bind(i64::from(site.livestream))
            .bind(&site.zone);
        exists("site", query.execute(&self.pool).await)
    }

    /// By its name; the oldest where two have the same.
    pub async fn site_by_name(&self, name: &str) -> Result<Option<Site>, StoreError> {
        let text = "SELECT id, name, ports, livestream, zone FROM sites WHERE name = $1 ORDER BY id LIMIT 1";
        sqlx::query(text).bind(name).fetch_optional(&self.pool).await?.as_ref().map(Site::of).transpose()
    }

    /// Writes a site anew.
    pub async fn set_site(&self, site: &Site) -> Result<(), StoreError> {
        let text = "UPDATE sites SET name = $2, ports = $3, livestream = $4, zone = $5 WHERE id = $1";
        let query = sqlx::query(text)
            .bind(site.id.to_string())
            .bind(&site.name)
            .bind(i64::from(site.ports))
            .bind(i64::from(site.livestream))
            .bind(&site.zone);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// By id.
    pub async fn site(&self, id: SiteId) -> Result<Option<Site>, StoreError> {
        let text = "SELECT id, name, ports, livestream, zone FROM sites WHERE id = $1";
        let row = sqlx::query(text).bind(id.to_string()).fetch_optional(&self.pool).await?;
        row.as_ref().map(Site::of).transpose()
    }

    /// All, in order of their making; after one of them.
    pub async fn sites(&self, after: Option<SiteId>, limit: u32) -> Result<Vec<Site>, StoreError> {
        let text = "SELECT id, name, ports, livestream, zone FROM sites WHERE id > $1 ORDER BY id LIMIT $2";
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let rows = sqlx::query(text).bind(after).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.iter().map(Site::of).collect()
    }

    /// Adds a shared room.
    pub async fn add_room(&self, room: &Room) -> Result<(), StoreError> {
        let query = sqlx::query("INSERT INTO rooms (id, site_id, name, capacity) VALUES ($1, $2, $3, $4)")
            .bind(room.id.to_string())
            .bind(room.site.to_string())
            .bind(&room.name)
            .bind(i64::from(room.capacity));
        exists("room", query.execute(&self.pool).await)
    }

    /// A site's shared rooms, the smallest first.
    pub async fn rooms(&self, site: SiteId) -> Result<Vec<Room>, StoreError> {
        let text = "SELECT id, site_id, name, capacity FROM rooms WHERE site_id = $1 ORDER BY capacity, id LIMIT 1000";
        let rows = sqlx::query(text).bind(site.to_string()).fetch_all(&self.pool).await?;
        rows.iter().map(Room::of).collect()
    }

    /// By id.
    pub async fn room(&self, id: RoomId) -> Result<Option<Room>, StoreError> {
        let text = "SELECT id, site_id, name, capacity FROM rooms WHERE id = $1";
        let row = sqlx::query(text).bind(id.to_string()).fetch_optional(&self.pool).await?;
        row.as_ref().map(Room::of).transpose()
    }
}
