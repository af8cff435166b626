#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "common/cpu_features.h"
#include "cpu/encoder_checks.h"
#include "cpu/requests.h"
#include "harness.h"
#include "kernels/emulated_tiles.h"

// Encoders put together as those of the families other than BERT are, in small and odd sizes.

namespace bert_native::test {

namespace {

// 2N - 1 rows of a table, of distances that share rows the farther they are.
std::vector<uint32_t> logarithmic_rows(int positions) {
  std::vector<uint32_t> rows;
  for (int distance = 1 - positions; distance < positions; ++distance) {
    const long step = std::lround(2 * std::log2(1 + std::fabs(static_cast<double>(distance))));
    rows.push_back(static_cast<uint32_t>(12 + (distance < 0 ? -step : step)));
  }
  return rows;
}

RelativePositions make_relative_positions(bool vectors) {
  RelativePositions relative;
  relative.vectors = vectors;
  relative.row_of = logarithmic_rows(40);  // fewer than the requests have: the ends count for the rest
  relative.rows = 1 + *std::max_element(relative.row_of.begin(), relative.row_of.end());
  return relative;
}

EncoderSpecification roberta() {
  EncoderSpecification specification = make_specification(kOddSizes);
  specification.embeddings.position_padding_id = 1;
  specification.embeddings.max_position_embeddings = 66;
  specification.embeddings.type_vocab_size = 1;
  return specification;
}

EncoderSpecification distilbert() {
  EncoderSpecification specification = make_specification(kOddSizes);
  specification.embeddings.type_vocab_size = 0;
  specification.pooler.reset();
  return specification;
}

EncoderSpecification albert() {
  EncoderSpecification specification = make_specification({36, 3, 12, 100, 4}, Activation::kGeluTanh);
  specification.embeddings.embedding_size = 21;
  specification.embeddings.projection = ProjectionPlacement::kAfterNorm;
  const size_t shared[] = {0, 1, 0, 1};
  for (size_t layer = 0; layer < 4; ++layer) specification.layers[layer].parameters = shared[layer];
  specification.layers[2].attention_norm->eps = 0.1f;
  specification.layers[3].mlp_norm.eps = 0.2f;
  return specification;
}

EncoderSpecification mpnet() {
  EncoderSpecification specification = roberta();
  specification.relative_positions = make_relative_positions(false);
  for (LayerSpecification& layer : specification.layers) layer.attention.position.kind = AttentionPositionKind::kBias;
  return specification;
}

EncoderSpecification deberta() {
  EncoderSpecification specification = make_specification({36, 3, 12, 100, 3});
  EmbeddingsSpecification& embeddings = specification.embeddings;
  embeddings.embedding_size = 50;
  embeddings.projection = ProjectionPlacement::kBeforeNorm;
  embeddings.projection_bias = false;
  embeddings.position = PositionEmbedding::kNone;
  embeddings.type_vocab_size = 0;
  embeddings.zero_masked = true;
  specification.relative_positions = make_relative_positions(true);
  specification.relative_positions->norm = NormSpecification{1e-7f, true};
  specification.convolution = {3, 1, Activation::kTanh, {1e-7f, true}};
  for (LayerSpecification& layer : specification.layers) {
    AttentionPosition& position = layer.attention.position;
    position.kind = AttentionPositionKind::kDisentangled;
    position.to_key = position.to_query = true;
    layer.attention.scale_factor = 3;
    layer.attention.zero_masked_queries = true;
  }
  specification.pooler.reset();
  return specification;
}

// Everything of DeBERTa's that its checkpoints do not ask for, in one layer behind which the convolution is the last.
EncoderSpecification deberta_unlike_any() {
  EncoderSpecification specification = deberta();
  specification.layers.resize(1);
  specification.embeddings.position = PositionEmbedding::kAbsolute;
  specification.embeddings.zero_masked = false;
  specification.relative_positions->norm.reset();
  specification.convolution = {7, 2, Activation::kGeluErf, {1e-7f, false}};
  LayerSpecification& layer = specification.layers[0];
  layer.attention.position.shared_projections = layer.attention.position.to_query = false;
  layer.attention.query_key_value_bias = false;
  layer.attention.zero_masked_queries = false;
  specification.pooler = Activation::kGeluErf;
  return specification;
}

std::vector<float> frequencies(size_t pairs, double base) {
  std::vector<float> result;
  for (size_t i = 0; i < pairs; ++i) {
    result.push_back(static_cast<float>(std::pow(base, -static_cast<double>(i) / static_cast<double>(pairs))));
  }
  return result;
}

void remove_biases(EncoderSpecification& specification) {
  for (LayerSpecification& layer : specification.layers) {
    layer.attention.query_key_value_bias = layer.attention.output_bias = false;
    layer.mlp.up_bias = layer.mlp.down_bias = false;
  }
}

EncoderSpecification modernbert() {
  EncoderSpecification specification = make_specification({36, 3, 12, 100, 4});
  specification.embeddings.position = PositionEmbedding::kNone;
  specification.embeddings.type_vocab_size = 0;
  specification.embeddings.norm = {1e-5f, false};
  remove_biases(specification);
  for (size_t i = 0; i < specification.layers.size(); ++i) {
    LayerSpecification& layer = specification.layers[i];
    const bool global = i % 3 == 0;
    layer.norm_placement = NormPlacement::kPre;
    layer.mlp_norm.bias = layer.attention_norm->bias = false;
    layer.mlp.gated = true;
    layer.attention.position.kind = AttentionPositionKind::kRotary;
    layer.attention.position.inverse_frequencies = frequencies(6, global ? 160000 : 10000);
    if (!global) layer.attention.mask = {AttentionMaskKind::kWindow, 10};
  }
  specification.layers[0].attention_norm.reset();
  specification.final_norm = NormSpecification{1e-5f, false};
  specification.pooler.reset();
  return specification;
}

EncoderSpecification nomic() {
  EncoderSpecification specification = make_specification(kOddSizes, Activation::kSilu);
  specification.embeddings.position = PositionEmbedding::kNone;
  remove_biases(specification);
  for (LayerSpecification& layer : specification.layers) {
    layer.mlp.gated = true;
    layer.attention.position.kind = AttentionPositionKind::kRotary;
    layer.attention.position.inverse_frequencies = frequencies(6, 1000);
  }
  return specification;
}

// The gate's bias stands beside the other's; pairs are neighbours and not all columns are turned.
EncoderSpecification gated_with_biases() {
  EncoderSpecification specification = nomic();
  for (LayerSpecification& layer : specification.layers) {
    layer.mlp.up_bias = layer.mlp.down_bias = true;
    layer.attention.position.neighbours = true;
    layer.attention.position.inverse_frequencies = frequencies(4, 10);
  }
  return specification;
}

// Norms before and behind the sums, gates and none, in layers that follow each other; a final norm under a pooler.
EncoderSpecification mixed() {
  EncoderSpecification specification = make_specification({36, 3, 12, 100, 5});
  specification.embeddings.embedding_size = 21;
  specification.embeddings.projection = ProjectionPlacement::kBeforeNorm;
  for (const size_t index : {size_t{1}, size_t{2}, size_t{4}}) {
    specification.layers[index].norm_placement = NormPlacement::kPre;
    specification.layers[index].mlp.gated = index != 1;
  }
  specification.layers[2].attention_norm.reset();
  specification.layers[3].mlp.intermediate_size = 1201;
  specification.final_norm = NormSpecification{1e-3f, true};
  specification.pooler = Activation::kRelu;
  return specification;
}

EncoderSpecification norm_alone() {
  EncoderSpecification specification = make_specification({36, 3, 12, 100, 0});
  specification.final_norm = NormSpecification{1e-3f, true};
  return specification;
}

// The inner layer is three pieces of a depth.
EncoderSpecification several_chunks() {
  EncoderSpecification specification = make_specification({40, 2, 20, 1700, 1}, Activation::kGeluTanh);
  specification.layers[0].norm_placement = NormPlacement::kPre;
  specification.layers[0].mlp.gated = true;
  specification.final_norm = NormSpecification{1e-5f, true};
  return specification;
}

// A convolution of more than one piece of a depth, as wide as its groups are narrow.
EncoderSpecification wide_convolution() {
  EncoderSpecification specification = make_specification({90, 3, 12, 50, 2}, Activation::kRelu);
  specification.convolution = {9, 1, Activation::kTanh, {1e-7f, true}};
  return specification;
}

EncoderSpecification narrow_convolution() {
  EncoderSpecification specification = make_specification({36, 3, 12, 50, 2}, Activation::kRelu);
  specification.convolution = {5, 36, Activation::kSilu, {1e-7f, true}};
  return specification;
}

struct Family {
  const char* name;
  EncoderSpecification specification;
};

std::vector<Family> families() {
  return {
      {"RoBERTa", roberta()},
      {"DistilBERT", distilbert()},
      {"ALBERT", albert()},
      {"MPNet", mpnet()},
      {"DeBERTa", deberta()},
      {"a DeBERTa unlike any", deberta_unlike_any()},
      {"ModernBERT", modernbert()},
      {"NomicBERT", nomic()},
      {"gates with biases", gated_with_biases()},
      {"layers of all kinds", mixed()},
      {"a final norm alone", norm_alone()},
      {"several chunks of a gated MLP", several_chunks()},
      {"a convolution of several pieces", wide_convolution()},
      {"a convolution of single channels", narrow_convolution()},
  };
}

void add_tests() {
  for (const Family& family : families()) {
    const std::string name = std::string(", ") + family.name;
    const auto model = Model(family.specification);
    for (const Isa isa : available_isas()) {
      const std::string suffix = name + ", " + isa_name(isa);
      add("cpu/families: agrees with float64" + suffix, [=] { agree_with_reference(isa, model); });
      add("cpu/families: agrees with float64, masked positions skipped" + suffix,
          [=] { agree_with_reference(isa, model, {.compute_masked_positions = false, .pooling = {Pooling::kCls}}); });
      add("cpu/families: same bits in any company" + suffix, [=] {
        same_bits_in_any_company(isa, model, {1, 16, 50});
      });
      add("cpu/families: same bits whatever is wanted" + suffix, [=] { same_bits_whatever_is_wanted(isa, model); });
      for (const auto& [type, type_name] :
           {std::pair(MatrixType::kF16, ", f16"), std::pair(MatrixType::kBf16, ", bf16"),
            std::pair(MatrixType::kInt8, ", int8")}) {
        add("cpu/families: same bits in any company" + suffix + type_name, [=, type = type] {
          same_bits_in_any_company({*kernel_table(isa), type}, model, {3, 45});
        });
      }
    }
    const Setup parts{emulated_amx_kernels(), MatrixType::kBf16x3};
    add("cpu/families: agrees with float64, f32 in three parts" + name,
        [=] { agree_with_reference(parts, model, {}, 3); });
    add("cpu/families: gives parameters back exactly" + name, [specification = family.specification] {
      gives_parameters_back(Isa::kScalar, specification);
      gives_parameters_back(available_isas().back(), specification);
    });
  }
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
