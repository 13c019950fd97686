#include "data/catalogue.h"

#include <algorithm>

#include "uncial/core/error.h"
#include "uncial/data/download.h"
#include "uncial/io/atomic_file.h"

namespace uncial::data {
namespace {

// Mirrors are tried in this order. Plain http is safe here because every byte is held to a pinned SHA-256.
constexpr std::array<std::string_view, 2> kMnistMirrors = {
    "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"};
constexpr std::array<std::string_view, 3> kFashionMirrors = {
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"};
constexpr std::array<std::string_view, 2> kKmnistMirrors = {"https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
                                                            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"};
constexpr std::array<std::string_view, 2> kEmnistMirrors = {
    "https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"};

constexpr std::string_view kDigits = "0,1,2,3,4,5,6,7,8,9";
constexpr std::string_view kClothes =
    "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot";
constexpr std::string_view kHiragana = "o,ki,su,tsu,na,ha,ma,ya,re,wo";
constexpr std::string_view kLetters = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z";
constexpr std::string_view kByClass =
    "0,1,2,3,4,5,6,7,8,9,A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,"
    "q,r,s,t,u,v,w,x,y,z";
// Capital and small forms that look alike share a class.
constexpr std::string_view kMerged =
    "0,1,2,3,4,5,6,7,8,9,A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T,U,V,W,X,Y,Z,a,b,d,e,f,g,h,n,q,r,t";

// Checksums: MNIST's plain ones from the files in data/mnist; published ones from torchvision (MNIST,
// Fashion-MNIST, KMNIST), TensorFlow Datasets (the EMNIST archive) and lists of the archive's members in
// public repositories.
constexpr ArchiveRecord kEmnistArchive = {
    {"gzip.zip", 561'753'746, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e", ""},
    "gzip/"};

constexpr SetRecord kSets[] = {{"mnist",
                                "mnist",
                                {{{"train-images-idx3-ubyte.gz", 9'912'422,
                                   "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                                   "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
                                  {"train-labels-idx1-ubyte.gz", 28'881,
                                   "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                                   "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
                                  {"t10k-images-idx3-ubyte.gz", 1'648'877,
                                   "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                                   "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
                                  {"t10k-labels-idx1-ubyte.gz", 4'542,
                                   "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                                   "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}}},
                                kMnistMirrors,
                                nullptr,
                                kDigits,
                                0,
                                false},
                               {"fashion_mnist",
                                "fashion_mnist",
                                {{{"train-images-idx3-ubyte.gz", 26'421'880,
                                   "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", ""},
                                  {"train-labels-idx1-ubyte.gz", 29'515,
                                   "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", ""},
                                  {"t10k-images-idx3-ubyte.gz", 4'422'102,
                                   "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", ""},
                                  {"t10k-labels-idx1-ubyte.gz", 5'148,
                                   "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", ""}}},
                                kFashionMirrors,
                                nullptr,
                                kClothes,
                                0,
                                false},
                               {"kmnist",
                                "kmnist",
                                {{{"train-images-idx3-ubyte.gz", 18'165'135,
                                   "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", ""},
                                  {"train-labels-idx1-ubyte.gz", 29'497,
                                   "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", ""},
                                  {"t10k-images-idx3-ubyte.gz", 3'041'136,
                                   "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", ""},
                                  {"t10k-labels-idx1-ubyte.gz", 5'120,
                                   "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", ""}}},
                                kKmnistMirrors,
                                nullptr,
                                kHiragana,
                                0,
                                false},
                               {"emnist_balanced",
                                "emnist",
                                {{{"emnist-balanced-train-images-idx3-ubyte.gz", 0,
                                   "74295e75e4e9fa2c102147460ee7eb763653d5132d883a84fb88932bfb8d2db4", ""},
                                  {"emnist-balanced-train-labels-idx1-ubyte.gz", 0,
                                   "b46d41e5156a0a8aaaa4d18979fdd1588850fa8571018acffd5d93b325a7d6ed", ""},
                                  {"emnist-balanced-test-images-idx3-ubyte.gz", 0,
                                   "117fc12b015e37ea98bfb2cbba3f77c3782c056cdbd219b87abfc8661d7135db", ""},
                                  {"emnist-balanced-test-labels-idx1-ubyte.gz", 0,
                                   "a67cac948379b67270b9a4d0a01c8ec661598accf2f2b1964340b7c83cb175cd", ""}}},
                                kEmnistMirrors,
                                &kEmnistArchive,
                                kMerged,
                                0,
                                true},
                               {"emnist_byclass",
                                "emnist",
                                {{{"emnist-byclass-train-images-idx3-ubyte.gz", 0,
                                   "9e21987f03a6eb8b870187e785883ddad96947299587908f1a7ec2ca0f4be5f0", ""},
                                  {"emnist-byclass-train-labels-idx1-ubyte.gz", 0,
                                   "f7ef403d48dc18a89dae0d83d11ee69cecb6e1c12c3a961d03712e495c02a8fa", ""},
                                  {"emnist-byclass-test-images-idx3-ubyte.gz", 0,
                                   "5ec835bd5d5b1a66378a132e727fef20fe994b3cc666899befcca5ac766f50cd", ""},
                                  {"emnist-byclass-test-labels-idx1-ubyte.gz", 0,
                                   "501e305eeeacb093b162592d80e8a2632040872360fa6d85cfcb2200d91ca92a", ""}}},
                                kEmnistMirrors,
                                &kEmnistArchive,
                                kByClass,
                                0,
                                true},
                               {"emnist_bymerge",
                                "emnist",
                                {{{"emnist-bymerge-train-images-idx3-ubyte.gz", 0,
                                   "39bf8c68037dad40db35348895f7e4e056e8c0a005ab78869c9fbc2c96e947be", ""},
                                  {"emnist-bymerge-train-labels-idx1-ubyte.gz", 0,
                                   "2c47293b9e62d6abf6ad05fbf67e40baa32adfd380b8d7b44dcc35534b64e1f1", ""},
                                  {"emnist-bymerge-test-images-idx3-ubyte.gz", 0,
                                   "5e5815ec1b522089134435f7c55e75a00960b58414793593ffff23efc0821683", ""},
                                  {"emnist-bymerge-test-labels-idx1-ubyte.gz", 0,
                                   "8bda1516255683ba9071e141947ca0c91a911176065cdd6259b0b4d8dc5b5f35", ""}}},
                                kEmnistMirrors,
                                &kEmnistArchive,
                                kMerged,
                                0,
                                true},
                               {"emnist_digits",
                                "emnist",
                                {{{"emnist-digits-train-images-idx3-ubyte.gz", 0,
                                   "f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726", ""},
                                  {"emnist-digits-train-labels-idx1-ubyte.gz", 0,
                                   "6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e", ""},
                                  {"emnist-digits-test-images-idx3-ubyte.gz", 0,
                                   "20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63", ""},
                                  {"emnist-digits-test-labels-idx1-ubyte.gz", 0,
                                   "bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0", ""}}},
                                kEmnistMirrors,
                                &kEmnistArchive,
                                kDigits,
                                0,
                                true},
                               {"emnist_letters",
                                "emnist",
                                {{{"emnist-letters-train-images-idx3-ubyte.gz", 0,
                                   "6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f", ""},
                                  {"emnist-letters-train-labels-idx1-ubyte.gz", 0,
                                   "9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c", ""},
                                  {"emnist-letters-test-images-idx3-ubyte.gz", 0,
                                   "50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d", ""},
                                  {"emnist-letters-test-labels-idx1-ubyte.gz", 0,
                                   "924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb", ""}}},
                                kEmnistMirrors,
                                &kEmnistArchive,
                                kLetters,
                                1,
                                true},
                               {"emnist_mnist",
                                "emnist",
                                {{{"emnist-mnist-train-images-idx3-ubyte.gz", 0,
                                   "5f9942f441031c0f1f2e4d162059fd6e19ea808b34c328b6d16cab0ed24c78f2", ""},
                                  {"emnist-mnist-train-labels-idx1-ubyte.gz", 0,
                                   "00c6d3c2342fdffb1711e0b5656cac4ce5862d2826399d383a9bac07d612e9f8", ""},
                                  {"emnist-mnist-test-images-idx3-ubyte.gz", 0,
                                   "b25640fa9e356c618132f5df347c95ef5bae6d9c2596be1de40f7e0ae1c3eac6", ""},
                                  {"emnist-mnist-test-labels-idx1-ubyte.gz", 0,
                                   "bcc5385d38f083dba046f5f756e99b32f5ea7fad122c6243c71c2239873065ca", ""}}},
                                kEmnistMirrors,
                                &kEmnistArchive,
                                kDigits,
                                0,
                                true}};

}  // namespace

std::span<const SetRecord> catalogue() { return kSets; }

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const SetRecord& set : kSets) out.emplace_back(set.name);
  return out;
}

const SetRecord& find_set(std::string_view name, std::string_view what) {
  std::string known;
  for (const SetRecord& set : kSets) {
    if (set.name == name) return set;
    (known += known.empty() ? "" : ", ") += set.name;
  }
  fail(ErrorKind::usage, what, ": no data set is called '", io::printable(name), "'; there are ", known, ".");
}

std::vector<std::string> class_names(const SetRecord& set) {
  std::vector<std::string> out;
  for (size_t at = 0; at < set.classes.size();) {
    const size_t end = std::min(set.classes.find(',', at), set.classes.size());
    out.emplace_back(set.classes.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace uncial::data
