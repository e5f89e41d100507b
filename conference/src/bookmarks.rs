//! Pages somebody shares often (C20, 书签): his own alone.

use model::{check_page, check_title};
use store::StoreError;
use uuid::Uuid;

use crate::{Account, Bookmark, Conference};

/// More than a menu can show; a company's wiki has the rest.
const BOOKMARKS_MAX: u32 = 100;

/// Why a bookmark is not kept.
#[derive(Debug, thiserror::Error)]
pub enum BookmarkRefused {
    /// Empty, too long or with strange characters.
    #[error("the name is not allowed")]
    Name(#[from] model::InvalidText),
    /// No address of a page.
    #[error(transparent)]
    Page(#[from] model::BadPage),
    /// A hundred.
    #[error("there are too many bookmarks")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conference {
    /// The oldest first.
    pub async fn bookmarks(&self, of: &Account) -> Result<Vec<Bookmark>, StoreError> {
        self.store().bookmarks(of.id).await
    }

    /// Keeps a page.
    pub async fn add_bookmark(&self, of: &Account, name: &str, url: &str) -> Result<Bookmark, BookmarkRefused> {
        let (name, url) = (check_title(name)?, check_page(url)?);
        let new = Bookmark { id: Uuid::now_v7().to_string(), name, url };
        let is_added = self.store().add_bookmark(of.id, &new, BOOKMARKS_MAX).await?;
        if is_added { Ok(new) } else { Err(BookmarkRefused::TooMany) }
    }

    /// Whether there was one.
    pub async fn remove_bookmark(&self, of: &Account, id: &str) -> Result<bool, StoreError> {
        self.store().remove_bookmark(of.id, id).await
    }
}
