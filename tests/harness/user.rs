//! Somebody at the REST API.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use reqwest::Method;
use serde_json::Value;

use crate::{Client, Server, http};

/// Of all demo accounts.
pub const PASSWORD: &str = "Huitong-2026";

/// Somebody logged in.
pub struct User {
    pub web: SocketAddr,
    pub cookie: String,
}

/// Status, ETag and body.
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub body: Value,
}

impl User {
    /// With the demo's password.
    pub async fn login(server: &Server, name: &str) -> Result<Self> {
        Ok(Self { web: server.web, cookie: Client::login(server.web, name, PASSWORD).await? })
    }

    /// Asks for a path under `/api/v1`; null is no body.
    pub async fn ask(&self, method: Method, path: &str, body: Value, fields: &[(&str, &str)]) -> Result<Answer> {
        let url = format!("http://{}/api/v1{path}", self.web);
        let mut request = http().request(method, url).header("cookie", &self.cookie);
        request = request.header("accept-language", "zh-CN");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        Ok(Answer { status, etag, body: answer.json().await.unwrap_or_default() })
    }

    /// Reads what must be there.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.ask(Method::GET, path, Value::Null, &[]).await?;
        if answer.status != 200 {
            bail!("{path}: {} {}", answer.status, answer.body);
        }
        Ok(answer.body)
    }

    /// Makes something.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.ask(Method::POST, path, body, &[]).await
    }
}
