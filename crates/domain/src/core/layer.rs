//! The layers of the hub: each service stands on the layers below it, down to the one [`Core`].
//!
//! A layer dereferences to the layer below, so a service calls what its own room and the rooms below it
//! offer. The other direction does not compile: a lower layer holds no higher one.

use std::sync::{Arc, Mutex, PoisonError};

use super::Core;
use super::error::Error;
use super::port::store::{Job, Tx, TxResult};
use super::verdict::Verdict;

/// One layer, or a service at the top of them.
pub(crate) trait Layer: Send + Sync + Sized + 'static {
    fn core(&self) -> &Core;

    /// Runs `work` in one transaction and returns its value once that is durable.
    ///
    /// After a conflict with another transaction `work` runs again from its beginning.
    fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnMut(&Self, &mut dyn Tx) -> TxResult<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let (job, result) = job(self, work);
        async move {
            self.core().store.write(job).await?;
            take(&result)
        }
    }

    /// Runs `work` in one transaction that queues no messages, and answers with its verdict. Both verdicts are saved.
    fn conclude<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnMut(&Self, &mut dyn Tx) -> TxResult<Verdict<T>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let written = self.write(work);
        async move { written.await?.answer() }
    }

    /// Runs `work` on a consistent view of what is committed.
    fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnMut(&Self, &mut dyn Tx) -> TxResult<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let (job, result) = job(self, work);
        async move {
            self.core().store.read(job).await?;
            take(&result)
        }
    }

    /// Runs `work` on a consistent view of what is committed, and answers with its verdict.
    fn find<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnMut(&Self, &mut dyn Tx) -> TxResult<Verdict<T>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let read = self.read(work);
        async move { read.await?.answer() }
    }
}

type Slot<T> = Arc<Mutex<Option<T>>>;

fn job<L: Layer, T: Send + 'static>(
    layer: &Arc<L>,
    mut work: impl FnMut(&L, &mut dyn Tx) -> TxResult<T> + Send + 'static,
) -> (Job, Slot<T>) {
    let layer = Arc::clone(layer);
    let slot: Slot<T> = Arc::default();
    let filled = Arc::clone(&slot);
    let job = Box::new(move |tx: &mut dyn Tx| {
        let value = work(&layer, tx)?;
        *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    });
    (job, slot)
}

fn take<T>(slot: &Slot<T>) -> Result<T, Error> {
    let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.ok_or_else(|| Error::bug("a transaction was committed without a result"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_taken_once_and_a_missing_one_is_a_bug() {
        let slot: Slot<u8> = Arc::new(Mutex::new(Some(7)));
        assert!(matches!(take(&slot), Ok(7)));
        assert!(matches!(take(&slot), Err(Error::Bug(_))));
    }
}
