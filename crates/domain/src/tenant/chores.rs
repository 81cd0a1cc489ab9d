//! What this room does without a request.

use std::sync::Arc;

use async_trait::async_trait;

use super::Tenants;
use crate::core::error::Error;
use crate::trail::jobs::Chores;

#[async_trait]
impl Chores for Tenants {
    async fn keep_house(self: Arc<Self>) -> Result<bool, Error> {
        self.remove_leftovers().await
    }
}
