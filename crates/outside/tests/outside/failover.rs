//! Lists of providers: who is asked, in which order, and who rests.

use std::time::Duration;

use domain::message::Channel;
use domain::port::Courier;
use domain::port::courier::Delivery;
use domain::secret::SecretBytes;
use outside::courier::{
    BreakerOptions, CourierOptions, OutsideCourier, ProviderOptions, WebhookOptions,
};

use crate::letters::{Hand, letter};
use crate::web_server::{Answer, WebServer};

const REST: Duration = Duration::from_secs(30);

fn webhook(server: &WebServer) -> ProviderOptions {
    let secret = SecretBytes::new(vec![7; 32]);
    ProviderOptions::Webhook(WebhookOptions::new(server.url(), secret))
}

fn options(servers: &[&WebServer]) -> CourierOptions {
    CourierOptions {
        sms: servers.iter().map(|server| webhook(server)).collect(),
        breaker: BreakerOptions {
            failures: 2,
            rest: REST,
        },
        ..CourierOptions::default()
    }
}

async fn answering(status: u16) -> WebServer {
    WebServer::start(Answer::Status(status, "")).await
}

#[tokio::test]
async fn the_first_that_accepts_ends_the_search() {
    let servers = [
        answering(500).await,
        answering(400).await,
        answering(200).await,
        answering(200).await,
    ];
    let all: Vec<&WebServer> = servers.iter().collect();
    let courier = OutsideCourier::new(options(&all), Hand::new()).unwrap();
    assert_eq!(
        courier.deliver(&letter(Channel::Sms)).await,
        Delivery::Accepted
    );
    let asked: Vec<usize> = servers.iter().map(|server| server.asked().len()).collect();
    assert_eq!(asked, [1, 1, 1, 0]);
}

#[tokio::test]
async fn refused_needs_everyone_and_later_needs_one() {
    let (never, also) = (answering(400).await, answering(404).await);
    let courier = OutsideCourier::new(options(&[&never, &also]), Hand::new()).unwrap();
    assert_eq!(
        courier.deliver(&letter(Channel::Sms)).await,
        Delivery::Refused("webhook: answered 400; webhook: answered 404".to_owned())
    );
    also.answer(Answer::Status(503, ""));
    assert_eq!(
        courier.deliver(&letter(Channel::Sms)).await,
        Delivery::Later("webhook: answered 503; webhook: answered 400".to_owned())
    );
}

#[tokio::test]
async fn a_failing_provider_rests_and_comes_back() {
    let (first, second) = (answering(500).await, answering(200).await);
    let clock = Hand::new();
    let courier = OutsideCourier::new(options(&[&first, &second]), clock.clone()).unwrap();
    for _ in 0..4 {
        assert_eq!(
            courier.deliver(&letter(Channel::Sms)).await,
            Delivery::Accepted
        );
    }
    assert_eq!((first.asked().len(), second.asked().len()), (2, 4));

    clock.advance(REST);
    first.answer(Answer::Status(200, ""));
    for _ in 0..2 {
        assert_eq!(
            courier.deliver(&letter(Channel::Sms)).await,
            Delivery::Accepted
        );
    }
    assert_eq!((first.asked().len(), second.asked().len()), (4, 4));
}

#[tokio::test]
async fn refusals_of_letters_send_nobody_to_rest() {
    let (first, second) = (answering(400).await, answering(200).await);
    let courier = OutsideCourier::new(options(&[&first, &second]), Hand::new()).unwrap();
    for _ in 0..4 {
        assert_eq!(
            courier.deliver(&letter(Channel::Sms)).await,
            Delivery::Accepted
        );
    }
    assert_eq!(first.asked().len(), 4);
}

#[tokio::test]
async fn nobody_rests_when_there_is_no_one_else() {
    let only = answering(500).await;
    let courier = OutsideCourier::new(options(&[&only]), Hand::new()).unwrap();
    for _ in 0..4 {
        assert!(matches!(
            courier.deliver(&letter(Channel::Sms)).await,
            Delivery::Later(_)
        ));
    }
    assert_eq!(only.asked().len(), 4);

    let (first, second) = (answering(500).await, answering(500).await);
    let courier = OutsideCourier::new(options(&[&first, &second]), Hand::new()).unwrap();
    for _ in 0..4 {
        assert!(matches!(
            courier.deliver(&letter(Channel::Sms)).await,
            Delivery::Later(_)
        ));
    }
    assert_eq!((first.asked().len(), second.asked().len()), (4, 4));
}
