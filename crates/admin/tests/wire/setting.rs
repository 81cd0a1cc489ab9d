//! The admin API as the executable mounts it, and the people whom operators look after.

use std::sync::Arc;

use admin::Admin;
use axum::Router;
use domain::guarded_key::contact::ContactAddress;
use domain::guarded_key::{self, Pin};
use domain::message::Channel;
use domain::person::registration::SecondStep;
use domain::person::{AccountId, Way};
use domain::policy::Policy;
use domain::proof::federated::{Login, TokenNeed};
use domain::proof::operator::OperatorRight;
use domain::proof::password::Password;
use domain::secret::SecretText;
use domain::vault::{
    Document, LoginName, MessageTemplate, Names, Plan, Profile, RegistrationMessages,
};
use domain::wallet::step_up::{Evidence, Shown};
use domain::wallet::{DeviceId, DeviceProof, EncryptedShare, WalletKeyId};
use domain::{Refusal, Services};
use testkit::golden::{Scene, Stepped};
use testkit::kit::caller;
use testkit::{Answer, TestDevice};

pub(crate) fn routes(services: Services) -> Router {
    let token = SecretText::new("token-of-this-run".to_owned());
    services
        .operators
        .accept_token(token, "anna", &OperatorRight::ALL);
    let admin = Admin {
        services,
        version: "0.0.0",
        anchor: Box::new(|| None),
    };
    admin::routes(Arc::new(admin)).fallback(|| async { admin::not_found() })
}

/// Applies one line of configuration.
pub(crate) fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let flag = value == "true";
    match name {
        "duo.backup.require_known_key" => policy.wallet.known_keys_only = flag,
        "enceeper.confirm_email" => policy.vault.confirm_addresses = flag,
        "enceeper.plan" => {
            let name = value.to_owned();
            let plan = Plan {
                name: name.clone(),
                ..Plan::default()
            };
            policy.vault.plans.by_name.insert(name, plan);
        }
        _ => return false,
    }
    true
}

/// `! account ADDRESS`: somebody with an account, logged in; `$account` is its id.
pub(crate) fn account<'s>(scene: &'s mut Scene, address: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let joined = join(scene, address).await;
        let id = joined.map_err(|error| error.to_string())?;
        scene.set("account", id.0.to_string());
        Ok(())
    })
}

async fn join(scene: &Scene, address: &str) -> Result<AccountId, domain::Error> {
    let services = scene.services().clone();
    let (caller, way) = (caller("profile"), Way::email(address));
    let process = services
        .people
        .start_registration(caller.clone(), way.clone())
        .await?;
    services
        .people
        .send_registration_token(caller.clone(), process)
        .await?;
    let code = scene.kit.courier.code_to(address).unwrap_or_default();
    services
        .people
        .verify_registration(
            caller.clone(),
            process,
            SecretText::new(code),
            SecondStep::Off,
        )
        .await?;
    let password = Password::new("correct horse battery");
    let id = services
        .people
        .finish_registration(caller.clone(), process, password.clone())
        .await?;
    services.people.log_in(caller, way, password).await?;
    Ok(id)
}

/// `! wallet SUBJECT NUMBER`: somebody with device NUMBER, a face, and a keyshare `wallet-NUMBER`.
pub(crate) fn wallet<'s>(scene: &'s mut Scene, text: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let (subject, number) = text.split_once(' ').ok_or("! wallet SUBJECT NUMBER")?;
        let device = TestDevice::new(number.parse().map_err(|_| "a number".to_owned())?);
        let key = WalletKeyId::parse(&format!("wallet-{number}")).ok_or("a key")?;
        let made = bind(scene, subject, &device, key).await;
        made.map_err(|error| error.to_string())
    })
}

async fn bind(
    scene: &Scene,
    subject: &str,
    device: &TestDevice,
    key: WalletKeyId,
) -> Result<(), domain::Error> {
    let services = scene.services().clone();
    let now = services.now();
    let token = scene.kit.issuer.token(subject, "", now);
    let need = TokenNeed {
        scope: None,
        login: Login::Whenever,
    };
    let bearer = services.wallets.bearer(&token, need).await?;
    let caller = caller("duo");
    services
        .wallets
        .register_user(caller.clone(), bearer.clone())
        .await?;
    let id = DeviceId::parse(&device.id()).expect("a device of the vectors");
    let issued = services
        .wallets
        .issue_challenge(bearer.clone(), id.clone())
        .await?;
    let proof = DeviceProof {
        device: id,
        signature: device.sign(&issued.hex),
        name: Some("Phone".to_owned()),
        shown: Shown::default(),
    };
    services
        .wallets
        .register_device(caller.clone(), bearer.clone(), proof)
        .await?;
    let text = |text: &str| SecretText::new(text.to_owned());
    let evidence = Evidence {
        scan: text(&format!("yes-{subject}")),
        image: text("face"),
        small_image: text("face"),
        agent: "app".to_owned(),
        session: None,
        client: "127.0.0.1".to_owned(),
    };
    services
        .wallets
        .enrol(caller.clone(), bearer.clone(), evidence)
        .await?;
    let share = EncryptedShare {
        key,
        text: "sealed".to_owned(),
    };
    services
        .wallets
        .keep_shares(caller, bearer, vec![share])
        .await
}

/// `! guarded_key PIN`: a key behind this PIN, with a contact that is not verified; `$key` is its id.
pub(crate) fn guarded_key<'s>(scene: &'s mut Scene, pin: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let made = make_key(scene, pin).await;
        let id = made.map_err(|error| error.to_string())?;
        scene.set("key", id.0.to_string());
        Ok(())
    })
}

async fn make_key(scene: &Scene, pin: &str) -> Result<guarded_key::GuardedKeyId, domain::Error> {
    let keys = &scene.services().guarded_keys;
    let pin = Pin(SecretText::new(pin.to_owned()));
    let id = keys.create_key(caller("photon"), pin.clone()).await?;
    let address = ContactAddress {
        channel: Channel::Email,
        text: "ana@example.com".to_owned(),
    };
    keys.add_contact(caller("photon"), id, pin, address).await?;
    Ok(id)
}

/// `! vault ADDRESS`: somebody with an account that has a vault.
pub(crate) fn vault<'s>(scene: &'s mut Scene, address: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let made = open_vault(scene, address).await;
        made.map_err(|error| error.to_string())
    })
}

async fn open_vault(scene: &Scene, address: &str) -> Result<(), domain::Error> {
    let name = LoginName::parse(address).ok_or(Refusal::UnknownSubject)?;
    let salt = "ab".repeat(32);
    let document =
        format!(r#"{{"srp6a":{{"salt":"{salt}","verifier":"05"}},"keys":{{"pub":"ab"}}}}"#);
    let document = Document::parse(&document).ok_or(Refusal::UnknownSubject)?;
    let names = Names {
        document: "auth",
        credential: "srp6a",
        reserved: "enceeper",
    };
    let profile = Profile::check(document, &names)?;
    let vaults = &scene.services().vaults;
    vaults
        .register(caller("enceeper"), name, profile, &MESSAGES)
        .await
}

/// Nobody is sent one of these: addresses are not confirmed here.
static MESSAGES: RegistrationMessages = RegistrationMessages {
    confirm: NO_MESSAGE,
    taken: NO_MESSAGE,
};
const NO_MESSAGE: MessageTemplate = MessageTemplate {
    operation: "NONE",
    page: "",
};

/// `! console`: `$console` is the page as its three files make it.
pub(crate) fn console<'s>(scene: &'s mut Scene, _: &'s str) -> Stepped<'s> {
    Box::pin(async move {
        let page = include_str!("../../src/console/page.html")
            .replace("{style}", include_str!("../../src/console/page.css"))
            .replace("{script}", include_str!("../../src/console/page.js"));
        scene.set("console", page);
        Ok(())
    })
}

/// What every answer has, and what none may have.
pub(crate) fn every_answer(method: &str, target: &str, answer: &Answer) -> Result<(), String> {
    let must = |name: &str, value: Option<&str>| {
        if answer.header(name) == value {
            Ok(())
        } else {
            Err(format!("{name} must be {value:?}"))
        }
    };
    for never in ["set-cookie", "location", "access-control-allow-origin"] {
        must(never, None)?;
    }
    must("cache-control", Some("no-store"))?;
    if target == "/" && answer.status == 200 {
        return must("content-type", Some("text/html; charset=utf-8"));
    }
    must("content-type", Some("application/json"))?;
    must(
        "www-authenticate",
        (answer.status == 401).then_some("Bearer"),
    )?;
    if method == "HEAD" {
        return Ok(());
    }
    let told = answer.json()["error"]["code"].is_string();
    if told == answer.status.is_success() {
        return Err("an error has a code, and a success has none".to_owned());
    }
    Ok(())
}
