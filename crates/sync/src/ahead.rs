//! Work done ahead, on another thread, while this one does what is at hand.

use std::future::Future;
use std::panic;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// Starts a task at once. Awaiting it gives what it gives; dropping it ends it.
pub(crate) fn ahead<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Ahead<T> {
    Ahead(tokio::spawn(work))
}

/// A task under way.
pub(crate) struct Ahead<T>(JoinHandle<T>);

impl<T> Future for Ahead<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.0).poll(context) {
            Poll::Ready(Ok(done)) => Poll::Ready(done),
            Poll::Ready(Err(error)) => match error.try_into_panic() {
                Ok(cause) => panic::resume_unwind(cause),
                // Only dropping it ends it, and then nobody polls; or the whole runtime stops, and then nobody waits.
                Err(_) => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
