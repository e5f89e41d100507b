//! Encoders (B9): who may let one in, and by what it comes.

use std::net::IpAddr;

use model::{InvalidText, MeetingId, Permission, Refusal, check_name};
use store::{EncoderToken, StoreError};

use crate::{Account, BookRefused, Conference, JoinRequest, Seat, Via, audience::same, login::sha256, now_ms};

/// Why a meeting gets no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefused {
    /// The encoder can't be called so.
    #[error("the name is not allowed")]
    Name(#[from] InvalidText),
    /// The meeting is not his.
    #[error(transparent)]
    Meeting(#[from] BookRefused),
}

/// Why an encoder does not come in.
#[derive(Debug, thiserror::Error)]
pub enum EncoderRefused {
    /// The token is not this meeting's, or no longer.
    #[error("the token is not valid")]
    Token,
    /// The meeting does not take it.
    #[error(transparent)]
    Meeting(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conference {
    /// Makes the token by which one encoder after the other, or several, come into a meeting under this name. An earlier one is void.
    pub async fn new_encoder_token(&self, by: &Account, of: MeetingId, name: &str) -> Result<String, TokenRefused> {
        self.owned(by, of, Permission::Write).await?;
        let name = check_name(name)?;
        let token = hex::encode(rand::random::<[u8; 32]>());
        let kept = EncoderToken { name, token_sha256: sha256(&token), created_ms: now_ms() };
        self.store().set_encoder_token(of, &kept).await.map_err(BookRefused::Store)?;
        Ok(token)
    }

    /// What is known of a meeting's token, where it has one.
    pub async fn encoder_token(&self, by: &Account, of: MeetingId) -> Result<Option<EncoderToken>, BookRefused> {
        self.owned(by, of, Permission::Read).await?;
        Ok(self.store().encoder_token(of).await?)
    }

    /// Whoever came by it is sent away. False where there was none.
    pub async fn revoke_encoder_token(&self, by: &Account, of: MeetingId) -> Result<bool, BookRefused> {
        self.owned(by, of, Permission::Write).await?;
        Ok(self.store().remove_encoder_token(of).await?)
    }

    /// Brings an encoder in. Nobody asks it for a password, and it waits for nobody: its token is the host's word.
    pub async fn join_encoder(&self, meeting: MeetingId, token: &str, source: IpAddr) -> Result<Seat, EncoderRefused> {
        let name = self.is_encoder_token(meeting, token).await?.ok_or(EncoderRefused::Token)?;
        let request = JoinRequest {
            meeting,
            password: None,
            name: Some(name),
            account: None,
            via: Via::Encoder,
            dial: None,
            resume: None,
            since: None,
            source,
            waits: None,
        };
        Ok(self.join(request).await?)
    }

    /// The name it stands for, where it is this meeting's.
    pub async fn is_encoder_token(&self, meeting: MeetingId, token: &str) -> Result<Option<String>, StoreError> {
        let known = self.store().encoder_token(meeting).await?;
        Ok(known.filter(|known| same(&sha256(token), &known.token_sha256)).map(|known| known.name))
    }
}
