//! Sites, accounts, and who may do what outside a meeting: one function decides.

use serde::{Deserialize, Serialize};

use crate::{AccountId, SiteId};

/// How an account books (账号模式).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingMode {
    /// 专属: a room and a personal meeting number of his own.
    Dedicated,
    /// 共享: one of the site's rooms.
    Shared,
    /// 并发: ports of the site's total.
    Concurrent,
}

/// What somebody may do beyond his own meetings (L8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// Everything, on every site.
    Operator,
    /// Everything on his own site.
    Administrator,
    /// His own things.
    Member,
}

impl BookingMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dedicated, Self::Shared, Self::Concurrent];

    /// As it is written in the database and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Shared => "shared",
            Self::Concurrent => "concurrent",
        }
    }
}

impl AccountRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Administrator, Self::Member];

    /// As it is written in the database and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Administrator => "administrator",
            Self::Member => "member",
        }
    }
}

/// Somebody logged in who wants something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub account: AccountId,
    /// Where he belongs.
    pub site: SiteId,
    /// What he may.
    pub role: AccountRole,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// To look at it.
    Read,
    /// To make, change or delete it.
    Write,
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// The list of sites, and their ports and features.
    Sites,
    /// One site: its accounts, rooms, webhooks, audit log.
    Site(SiteId),
    /// What members may know of their site: its name, rooms, free times.
    SiteFacts(SiteId),
    /// Somebody's account, or what is his: meetings, recordings.
    Owned {
        /// Where it belongs.
        site: SiteId,
        /// Whose it is.
        owner: AccountId,
    },
}

/// Whether somebody may do something. What isn't allowed here is not allowed.
#[must_use]
pub fn authorize(actor: &Actor, permission: Permission, object: Object) -> bool {
    match (actor.role, object) {
        (AccountRole::Operator, _) => true,
        (_, Object::Sites) => false,
        (AccountRole::Administrator, Object::Site(site) | Object::SiteFacts(site) | Object::Owned { site, .. }) => {
            site == actor.site
        }
        (AccountRole::Member, Object::Site(_)) => false,
        (AccountRole::Member, Object::SiteFacts(site)) => site == actor.site && permission == Permission::Read,
        (AccountRole::Member, Object::Owned { owner, .. }) => owner == actor.account,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: L8
    #[test]
    fn everybody_may_do_his_own_and_no_more() {
        let site = SiteId::from_u128;
        let account = AccountId::from_u128;
        let own = Object::Owned { site: site(1), owner: account(1) };
        let of_colleague = Object::Owned { site: site(1), owner: account(2) };
        let of_stranger = Object::Owned { site: site(2), owner: account(3) };
        let objects = [
            Object::Sites,
            Object::Site(site(1)),
            Object::Site(site(2)),
            Object::SiteFacts(site(1)),
            Object::SiteFacts(site(2)),
            own,
            of_colleague,
            of_stranger,
        ];
        let check = |role, read: &str, write: &str| {
            let actor = Actor { account: account(1), site: site(1), role };
            for (permission, expected) in [(Permission::Read, read), (Permission::Write, write)] {
                let may = objects.map(|object| if authorize(&actor, permission, object) { 'y' } else { '-' });
                assert_eq!(may.iter().collect::<String>(), expected, "{role:?} {permission:?}");
            }
        };
        check(AccountRole::Operator, "yyyyyyyy", "yyyyyyyy");
        check(AccountRole::Administrator, "-y-y-yy-", "-y-y-yy-");
        check(AccountRole::Member, "---y-y--", "-----y--");
    }
}
