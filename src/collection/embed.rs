//! The pipeline's second stage: the networks make vectors of what was prepared.

use image::{Rgb, RgbImage};

use super::Error;
use super::clock::timed;
use super::pipeline::{Pipeline, Ready, Row};
use crate::encode::{self, Embedding, Encoder, NotAnEmbedding};

impl Pipeline<'_> {
    pub(super) fn embed_pictures(&self, chunk: &mut [Ready]) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.image else { return Ok(()) };
        let (rows, pixels): (Vec<_>, Vec<_>) = chunk
            .iter_mut()
            .filter_map(Ready::row)
            .filter_map(|row| row.picture_input.take().map(|(hash, pixels)| ((row, hash), pixels)))
            .unzip();
        let results = timed(&self.clock.image_network, || {
            let plain = || encoder.prepare(&RgbImage::from_pixel(64, 64, Rgb([128; 3])));
            one_by_one_if_need_be(&**encoder, &pixels, plain, |pixels| encoder.encode(pixels))
        })?;
        for ((row, hash), made) in rows.into_iter().zip(results) {
            row.picture_made = Some((hash, made));
        }
        Ok(())
    }

    pub(super) fn embed_texts(&self, chunk: &mut [Ready]) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.text else { return Ok(()) };
        let mut waiting: Vec<&mut Row> = chunk
            .iter_mut()
            .filter_map(Ready::row)
            .filter(|row| row.text_input.is_some())
            .collect();
        let results = {
            let texts: Vec<&str> = waiting.iter().map(|row| row.work.item.text.as_str()).collect();
            timed(&self.clock.text_network, || {
                one_by_one_if_need_be(&**encoder, &texts, || "plain", |texts| encoder.encode(texts))
            })?
        };
        for (row, made) in waiting.iter_mut().zip(results) {
            row.text_made = row.text_input.take().map(|hash| (hash, made));
        }
        Ok(())
    }
}

/// Encodes a batch. If one input of it has no embedding, the others are not to suffer: then each goes
/// through the network alone. But where not even a plain input has one, it is not the inputs' fault.
fn one_by_one_if_need_be<T, E: Encoder + ?Sized>(
    encoder: &E,
    batch: &[T],
    plain: impl Fn() -> T,
    encode: impl Fn(&[T]) -> Result<Vec<Embedding>, encode::Error>,
) -> Result<Vec<Result<Embedding, NotAnEmbedding>>, Error> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let encode = |batch: &[T]| {
        let embeddings = encode(batch)?;
        let (asked, given) = (batch.len(), embeddings.len());
        if asked == given { Ok(embeddings) } else { Err(encode::Error::Count { asked, given }) }
    };
    match encode(batch) {
        Ok(embeddings) => return Ok(embeddings.into_iter().map(Ok).collect()),
        Err(encode::Error::Embedding(_)) => (),
        Err(error) => return Err(error.into()),
    }
    let mut results = Vec::with_capacity(batch.len());
    for input in batch.chunks(1) {
        match encode(input) {
            Ok(embeddings) => results.extend(embeddings.into_iter().map(Ok)),
            Err(encode::Error::Embedding(reason)) => {
                if reason == NotAnEmbedding::NotFinite
                    && let Err(encode::Error::Embedding(NotAnEmbedding::NotFinite)) =
                        encode(&[plain()])
                {
                    let name = encoder.name().to_owned();
                    return Err(encode::Error::Broken { name }.into());
                }
                results.push(Err(reason));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(results)
}
