//! An operation of a service as the SDK knows it: how its input is written, and what its answers say.

use super::service::{CallError, Refused, Service};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::fmt::Debug;
use std::marker::PhantomData;

/// An operation with this input, this output and these errors.
#[derive(Debug)]
pub struct Operation<I, O, E> {
    parts: Option<FrozenLayer>,
    types: PhantomData<fn(I) -> (O, E)>,
}

impl<I, O, E> Operation<I, O, E>
where
    I: Debug + Send + Sync + 'static,
    O: Debug + Send + Sync + 'static,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    /// Takes the SDK's own parts.
    pub fn of(sdk: &impl RuntimePlugin) -> Self {
        Self {
            parts: sdk.config(),
            types: PhantomData,
        }
    }

    /// The request for an input.
    ///
    /// # Errors
    /// When the SDK cannot write it.
    pub fn write(&self, input: I) -> Result<HttpRequest, CallError> {
        let serializer = self
            .parts
            .as_ref()
            .and_then(|parts| parts.load::<SharedRequestSerializer>());
        let serializer = serializer.ok_or_else(|| CallError::malformed("nothing writes it"))?;
        serializer
            .serialize_input(Input::erase(input), &mut ConfigBag::base())
            .map_err(CallError::malformed)
    }

    /// Sends a request that [`Operation::write`] has written.
    ///
    /// # Errors
    /// When there is no answer, or it is a no.
    pub async fn send(&self, request: HttpRequest, service: &Service) -> Result<O, CallError> {
        service
            .call(request, |response| self.read(response, service.name()))
            .await
    }

    fn read(&self, response: &HttpResponse, service: &'static str) -> Result<O, CallError> {
        if response.body().bytes().is_none() {
            return Err(CallError::malformed("the answer is not in memory"));
        }
        let deserializer = self
            .parts
            .as_ref()
            .and_then(|parts| parts.load::<SharedResponseDeserializer>());
        let deserializer = deserializer.ok_or_else(|| CallError::malformed("nothing reads it"))?;
        let answer =
            deserializer.deserialize_nonstreaming_with_config(response, &ConfigBag::base());
        let error = match answer {
            Ok(output) => {
                return output
                    .downcast()
                    .map_err(|_| CallError::malformed("it is of another type"));
            }
            Err(error) => error,
        };
        let error = error
            .as_operation_error()
            .and_then(|error| error.downcast_ref::<E>());
        match error.filter(|_| !response.status().is_success()) {
            Some(error) => Err(CallError::Refused(Refused::new(
                service,
                response.status().as_u16(),
                ProvideErrorMetadata::code(error).map(str::to_owned),
                error.message().map(str::to_owned),
            ))),
            // What could not be read may be a secret: the error's own text has no part of it.
            None => Err(CallError::malformed(
                "the answer is not what the service should say",
            )),
        }
    }
}
