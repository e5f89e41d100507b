//! The company's own telephones and room systems (P12).

use serde::Deserialize;

use crate::Encryption;

/// Shorter passwords are guessed.
const PASSWORD_MIN: usize = 8;

/// One that may register. In a configuration file, a table of an array. It doesn't print.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Account {
    /// What it registers as, and what is dialled to call it: digits.
    pub user: String,
    /// Proves that it is it.
    pub password: String,
    /// Of the sound when we call it.
    pub encryption: Encryption,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    user: String,
    password: String,
    #[serde(default)]
    encryption: Encryption,
}

/// Why an account is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// It couldn't be dialled.
    #[error("{0:?} is no extension: four to six digits")]
    User(String),
    /// It would be guessed.
    #[error("the password of account {0:?} has fewer than 8 characters")]
    Password(String),
}

impl TryFrom<Written> for Account {
    type Error = AccountError;

    fn try_from(Written { user, password, encryption }: Written) -> Result<Self, AccountError> {
        if !(4..=6).contains(&user.len()) || !user.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AccountError::User(user));
        }
        if password.chars().count() < PASSWORD_MIN {
            return Err(AccountError::Password(user));
        }
        Ok(Self { user, password, encryption })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P12
    #[test]
    fn an_account_can_be_dialled_and_not_guessed() {
        let read = |user: &str, password: &str| {
            let text = format!("user = \"{user}\"\npassword = \"{password}\"\n");
            toml::from_str::<Account>(&text).map_err(|error| error.message().to_owned())
        };
        let account = read("8001", "long enough").unwrap();
        assert_eq!(account.encryption, Encryption::None);
        assert!(!format!("{account:?}").contains("long"));
        assert_eq!(read("80", "long enough"), Err("\"80\" is no extension: four to six digits".to_owned()));
        assert!(read("lobby", "long enough").is_err());
        assert_eq!(
            read("8001", "short"),
            Err("the password of account \"8001\" has fewer than 8 characters".to_owned())
        );
    }
}
