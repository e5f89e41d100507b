//! `huitong check`, `backup` and `user add`: what is done to a server's data from its own machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use conference::{AccountRefused, NewAccount};
use model::{AccountRole, BookingMode};
use store::{Store, StoreError};

use crate::config::Config;

/// Letters and digits of a password that is made up: none that look alike. Fifteen of them with a mark carry 87 bits.
const PASSWORD_LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

#[derive(Subcommand)]
pub(crate) enum User {
    /// Make an account; its password is made up and printed, and its owner is asked to change it.
    Add {
        /// What is typed at the login.
        name: String,
        /// As others read it; the login name where not given.
        #[arg(long)]
        display_name: Option<String>,
        /// Name of its site; made where the server has none yet.
        #[arg(long)]
        site: String,
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
        /// How it books.
        #[arg(long, value_enum, default_value_t = Mode::Dedicated)]
        mode: Mode,
        #[arg(long)]
        email: Option<String>,
        /// As of `serve`.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    Operator,
    Administrator,
    Member,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    Dedicated,
    Shared,
    Concurrent,
}

#[expect(clippy::print_stdout, reason = "this command speaks to the person who gave it")]
pub(crate) fn check(file: Option<&Path>) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    println!("configuration  good");
    with_store(&config, async |store| {
        match store.check_all().await {
            Ok(()) => println!("database       good"),
            Err(StoreError::NotSqlite(_)) => println!("database       reached; PostgreSQL looks after its own pages"),
            Err(error) => return Err(error.into()),
        }
        let oversold = store.oversold(jiff::Timestamp::now().as_millisecond()).await?;
        for (site, fault) in &oversold {
            println!("bookings       {}: {fault}", site.name);
        }
        if !oversold.is_empty() {
            bail!("{} sites have more booked than they have", oversold.len());
        }
        println!("bookings       good");
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "as above")]
pub(crate) fn backup(file: Option<&Path>, to: &Path) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    if to.exists() {
        bail!("{} exists already", to.display());
    }
    with_store(&config, async |store| {
        store.backup(to).await?;
        println!("{} has the whole database as it was a moment ago", to.display());
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "as above")]
pub(crate) fn user(what: User) -> anyhow::Result<()> {
    let User::Add { name, display_name, site, role, mode, email, config } = what;
    let config = Config::load(config.as_deref())?;
    let password = make_up_password();
    let new = NewAccount {
        display_name: display_name.unwrap_or_else(|| name.clone()),
        name,
        password: password.clone(),
        role: match role {
            Role::Operator => AccountRole::Operator,
            Role::Administrator => AccountRole::Administrator,
            Role::Member => AccountRole::Member,
        },
        mode: match mode {
            Mode::Dedicated => BookingMode::Dedicated,
            Mode::Shared => BookingMode::Shared,
            Mode::Concurrent => BookingMode::Concurrent,
        },
        capacity: 100,
        email,
        mobile: None,
    };
    std::fs::create_dir_all(&config.data.dir)?;
    with_store(&config, async |store| {
        let made = conference::add_account(store, &site, new).await.map_err(|refused| match refused {
            AccountRefused::Missing => anyhow::anyhow!("there is no site named {site}"),
            AccountRefused::Store(StoreError::Exists(_)) => anyhow::anyhow!("this login name is taken"),
            refused => refused.into(),
        })?;
        println!("{} / {password}   ({})", made.name, made.site);
        Ok(())
    })
}

/// Has what L6 asks for: lower and upper case, a digit, a symbol.
fn make_up_password() -> String {
    let letter = || char::from(PASSWORD_LETTERS[rand::random_range(0..PASSWORD_LETTERS.len())]);
    let letters: String = (0..15).map(|_| letter()).collect();
    format!("{}-{}-{}-aA2", &letters[..5], &letters[5..10], &letters[10..])
}

fn with_store(config: &Config, work: impl AsyncFnOnce(&Store) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&config.database_url()).await.context("cannot open the database")?;
        let result = work(&store).await;
        store.close().await;
        result
    })
}
