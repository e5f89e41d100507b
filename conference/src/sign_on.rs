//! Single sign-on (L8): OpenID Connect's authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).
//!
//! Nothing is remembered between a sign-on's beginning and its end: what is needed then is kept, signed, by the browser.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use model::{AccountId, AccountRole, BookingMode, check_name};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreProviderMetadata},
};
use reqwest::redirect;
use serde::{Deserialize, Serialize};
use store::{Site, StoreError};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{Conference, Session, accounts::check_email, now_ms};

/// How long somebody may take at the provider: to find his second factor.
const SIGN_ON_LASTS: Duration = Duration::from_secs(600);

/// How long the provider's addresses and keys are believed. Providers publish new keys a day before they use them.
const METADATA_LASTS: Duration = Duration::from_secs(600);

/// How long the provider may take for an answer, and how long that may be: key sets are some kilobytes.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// See [`ANSWER_MAX`].
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What is signed with it can't be taken for the device of a login name: no name has a NUL.
const SIGNED_AS: &str = "\0sign-on";

/// An OpenID provider and what it is trusted with.
#[derive(Debug, Clone)]
pub struct SignOnConfig {
    /// Its issuer identifier: `{issuer}/.well-known/openid-configuration` is read.
    pub issuer: String,
    /// Ours at the provider.
    pub client_id: String,
    /// None: PKCE alone.
    pub client_secret: Option<String>,
    /// On the button.
    pub label: String,
    /// Name of the site that new people get an account on; none: only people who have one come in.
    pub site: Option<String>,
    /// The provider's login names are ours: who has one of ours there is that account here.
    pub trust_names: bool,
}

/// The way to the provider.
#[derive(Debug)]
pub struct SignOn {
    /// Where the browser is sent.
    pub url: String,
    /// What it has to bring back.
    pub kept: String,
}

/// Why nobody has signed on.
#[derive(Debug, thiserror::Error)]
pub enum SignOnRefused {
    /// There is no provider.
    #[error("single sign-on is not set up")]
    Off,
    /// It can't be reached or doesn't know us.
    #[error("the provider can't be used: {0}")]
    Unavailable(String),
    /// Another browser's, or too late.
    #[error("the sign-on was begun elsewhere, or too long ago")]
    Expired,
    /// What came from the provider is not to be believed.
    #[error("the provider's answer is refused: {0}")]
    Untrusted(String),
    /// He has no account here.
    #[error("there is no account for this person")]
    NoAccount,
    /// Somebody else has his login name.
    #[error("the login name is another's")]
    NameTaken,
    /// He may not log in.
    #[error("the account is disabled")]
    Disabled,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The provider as this server uses it.
pub(crate) struct Provider {
    config: SignOnConfig,
    http: Http,
    metadata: Mutex<Option<(Instant, CoreProviderMetadata)>>,
}

/// How the provider is asked.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = FetchFailed;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchFailed>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let mut response = self.0.execute(request.try_into()?).await?;
            let mut answer = HttpResponse::new(Vec::new());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            while let Some(chunk) = response.chunk().await? {
                if answer.body().len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err(FetchFailed::TooLong);
                }
                answer.body_mut().extend_from_slice(&chunk);
            }
            Ok(answer)
        })
    }
}

/// Between a sign-on's beginning and its end.
#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    nonce: String,
    verifier: String,
    /// The page he came from.
    back: String,
    expires_ms: i64,
}

impl Provider {
    pub(crate) fn new(config: SignOnConfig) -> Result<Self, String> {
        IssuerUrl::new(config.issuer.clone()).map_err(|error| format!("sign_on.issuer: {error}"))?;
        // A redirect could lead the server somewhere else with our secret.
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).timeout(ANSWER_MAX).build();
        let http = http.map_err(|error| format!("sign_on: {error}"))?;
        Ok(Self { config, http: Http(http), metadata: Mutex::default() })
    }

    async fn client(&self, callback: &str) -> Result<Client, SignOnRefused> {
        let unavailable = |error: &dyn std::fmt::Display| SignOnRefused::Unavailable(error.to_string());
        let mut known = self.metadata.lock().await;
        let metadata = match &*known {
            Some((read, metadata)) if read.elapsed() < METADATA_LASTS => metadata.clone(),
            _ => {
                let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|error| unavailable(&error))?;
                let read = CoreProviderMetadata::discover_async(issuer, &self.http).await;
                let metadata = read.map_err(|error| unavailable(&error))?;
                *known = Some((Instant::now(), metadata.clone()));
                metadata
            }
        };
        drop(known);
        let id = ClientId::new(self.config.client_id.clone());
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        let callback = RedirectUrl::new(callback.to_owned()).map_err(|error| unavailable(&error))?;
        Ok(CoreClient::from_provider_metadata(metadata, id, secret).set_redirect_uri(callback))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFailed {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

impl Conference {
    /// What the button of single sign-on says; none where there is no provider.
    #[must_use]
    pub fn sign_on_label(&self) -> Option<&str> {
        self.shared.provider.as_ref().map(|provider| provider.config.label.as_str())
    }

    /// Sends a browser to the provider; it comes back to `callback`, and in the end to the page `back`.
    pub async fn begin_sign_on(&self, callback: &str, back: &str) -> Result<SignOn, SignOnRefused> {
        let provider = self.shared.provider.as_ref().ok_or(SignOnRefused::Off)?;
        let client = provider.client(callback).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let asked =
            client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        let scopes = ["profile", "email"].map(|scope| Scope::new(scope.to_owned()));
        let (url, state, nonce) = asked.add_scopes(scopes).set_pkce_challenge(challenge).url();
        let kept = Kept {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            back: own_page(back),
            expires_ms: now_ms() + SIGN_ON_LASTS.as_millis() as i64,
        };
        let kept = serde_json::to_vec(&kept).expect("strings and a number have a JSON form");
        Ok(SignOn { url: url.into(), kept: self.shared.logins.sign(SIGNED_AS, &hex::encode(kept)) })
    }

    /// Somebody comes back from the provider with `state` and `code`: his session, and the page he came from.
    pub async fn end_sign_on(
        &self,
        callback: &str,
        kept: &str,
        state: &str,
        code: String,
    ) -> Result<(Session, String), SignOnRefused> {
        let provider = self.shared.provider.as_ref().ok_or(SignOnRefused::Off)?;
        let kept = self.kept(kept).filter(|kept| kept.state == state && kept.expires_ms > now_ms());
        let kept = kept.ok_or(SignOnRefused::Expired)?;
        let client = provider.client(callback).await?;
        let asked = client.exchange_code(AuthorizationCode::new(code));
        let asked = asked.map_err(|error| SignOnRefused::Unavailable(error.to_string()))?;
        let verifier = PkceCodeVerifier::new(kept.verifier);
        let tokens = asked.set_pkce_verifier(verifier).request_async(&provider.http).await;
        let untrusted = |error: &dyn std::fmt::Display| SignOnRefused::Untrusted(error.to_string());
        let tokens = tokens.map_err(|error| untrusted(&error))?;
        let token = tokens.id_token().ok_or_else(|| untrusted(&"it has no ID token"))?;
        let verifier = client.id_token_verifier();
        let claims = token.claims(&verifier, &Nonce::new(kept.nonce)).map_err(|error| untrusted(&error))?;
        // The access token goes with this ID token (OpenID Connect Core §3.1.3.8).
        if let Some(expected) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(|error| untrusted(&error))?;
            let algorithm = token.signing_alg().map_err(|error| untrusted(&error))?;
            let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if hash.map_err(|error| untrusted(&error))? != *expected {
                return Err(untrusted(&"its tokens don't belong together"));
            }
        }
        let account = self.account_of(&provider.config, claims).await?;
        if account.disabled {
            return Err(SignOnRefused::Disabled);
        }
        tracing::info!(account_id = %account.id, "signed on");
        let shared = &self.shared;
        Ok((shared.logins.open(self.store(), shared.config.session, account).await?, kept.back))
    }

    fn kept(&self, signed: &str) -> Option<Kept> {
        let (data, _) = signed.split_once('.')?;
        let is_ours = self.shared.logins.sign(SIGNED_AS, data) == signed;
        is_ours.then(|| serde_json::from_slice(&hex::decode(data).ok()?).ok()).flatten()
    }

    /// Whoever the provider says he is: the account he has had, the one of his name where names are trusted, a new one.
    async fn account_of(
        &self,
        config: &SignOnConfig,
        claims: &CoreIdTokenClaims,
    ) -> Result<store::Account, SignOnRefused> {
        let (issuer, subject) = (claims.issuer().as_str(), claims.subject().as_str());
        if let Some(known) = self.store().account_by_identity(issuer, subject).await? {
            return Ok(known);
        }
        let email = claims.email().map(|email| email.as_str().to_owned());
        let name = claims.preferred_username().map(|name| name.as_str().to_owned()).or_else(|| email.clone());
        let name = name.and_then(|name| check_name(&name).ok()).ok_or(SignOnRefused::NoAccount)?.to_lowercase();
        if let Some(account) = self.store().account_by_name(&name).await? {
            if !config.trust_names {
                return Err(SignOnRefused::NameTaken);
            }
            self.store().add_identity(account.id, issuer, subject, now_ms()).await?;
            return Ok(account);
        }
        let site = config.site.as_deref().ok_or(SignOnRefused::NoAccount)?;
        let site = self.store().site_by_name(site).await?.ok_or(SignOnRefused::NoAccount)?;
        let shown = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
        let display_name = shown.and_then(|shown| check_name(shown).ok()).unwrap_or_else(|| name.clone());
        let account = new_account(&site, name, display_name, email);
        self.store().add_account_of(&account, issuer, subject, now_ms()).await?;
        self.note(site.id, None, "account.create", &format!("account {}", account.id)).await;
        Ok(account)
    }
}

/// It has no password: only the provider lets this person in, until he sets one by mail.
fn new_account(site: &Site, name: String, display_name: String, email: Option<String>) -> store::Account {
    store::Account {
        id: AccountId::new(Uuid::now_v7()),
        site: site.id,
        name,
        display_name,
        password_hash: String::new(),
        initial_password: false,
        role: AccountRole::Member,
        mode: BookingMode::Dedicated,
        capacity: 100,
        email: email.and_then(|email| check_email(email).ok().flatten()),
        mobile: None,
        avatar: None,
        disabled: false,
        version: 1,
    }
}

/// A page of ours, whatever a link to the sign-on asks for: else strangers' links would lead from us to them.
fn own_page(back: &str) -> String {
    let is_own = back.starts_with('/') && !back.starts_with("//") && !back.contains(['\\', '\r', '\n', '\t']);
    if is_own { back.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_from_us_to_strangers() {
        for own in ["/", "/j/123456789", "/watch/1?x=2"] {
            assert_eq!(own_page(own), own);
        }
        for strange in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/\t/a"]
        {
            assert_eq!(own_page(strange), "/", "{strange}");
        }
    }
}
