//! The selected profile of the user's AWS configuration.

use super::Environment;
use crate::cli::quote;
use crate::error::Error;
use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use labelbox_relay::error::error_chain;

/// Checks that the profile that an option or a variable names can be used, as the AWS CLI does. Returns its setting `ca_bundle`.
pub async fn check(
    option: Option<&str>,
    environment: &Environment,
) -> Result<Option<String>, Error> {
    let name = option.or(environment.profile.as_deref());
    let files = EnvConfigFiles::default();
    let selected = name.map(|name| name.to_owned().into());
    let profiles = profile::load(&Fs::real(), &Env::real(), &files, selected).await;
    let profiles = profiles.map_err(|error| {
        let error = error_chain(&error);
        Error::Setup(format!(
            "the AWS configuration cannot be read: {error}; correct ~/.aws/config and ~/.aws/credentials"
        ))
    })?;
    if let Some(name) = name
        && profiles.get_profile(name).is_none()
    {
        return Err(Error::Setup(format!(
            "the AWS profile {name} does not exist; aws configure list-profiles lists yours"
        )));
    }
    let of_profile = profiles.get("endpoint_url").filter(|url| url.is_empty());
    let of_profile = of_profile.map(|_| "endpoint_url in the AWS configuration");
    if let Some(empty) = environment.empty_endpoint.as_deref().or(of_profile) {
        return Err(Error::Setup(format!("{empty} is empty; unset it, or set it to a URL")));
    }
    if option.is_some() || !environment.has_access_key {
        check_chain(&profiles)?;
    }
    Ok(profiles.get("ca_bundle").map(str::to_owned))
}

/// Checks that the SDK supports the credentials of the selected profile, and of those that it takes them from. It assumes roles
/// without MFA, so that AWS would answer only that access is denied. Source:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>, `mfa_serial`.
fn check_chain(profiles: &ProfileSet) -> Result<(), Error> {
    let selected = profiles.selected_profile();
    let chain = std::iter::successors(profiles.get_profile(selected), |profile| {
        profiles.get_profile(profile.get("source_profile")?)
    });
    // A chain that leads back to itself is for the SDK to report.
    for profile in chain.take(profiles.profiles().count()) {
        let missing = |source: &&str| profiles.get_profile(source).is_none();
        if let Some(source) = profile.get("source_profile").filter(missing) {
            return Err(Error::Setup(format!(
                "the AWS profile {selected} takes its credentials from the profile {source}, which does not exist"
            )));
        }
        let unsupported = if profile.get("role_arn").and(profile.get("mfa_serial")).is_some() {
            "needs an MFA code, which the AWS SDK for Rust cannot ask for; let the AWS CLI ask"
        } else if profile.get("login_session").is_some() {
            "is of aws login, which relayctl does not read; let the AWS CLI read it"
        } else {
            continue;
        };
        return Err(Error::Setup(format!(
            "the AWS profile {selected} {unsupported}: eval \"$(aws configure export-credentials --format env --profile {})\", \
             and then without --profile",
            quote(selected)
        )));
    }
    Ok(())
}
