// Maven's own order and checks on lines of base64: "read" and a version, or "compare" and two.
// Answers "-" for a version that is no project's, else whether it is a prerelease; or a sign.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Set;
import org.apache.maven.artifact.ArtifactUtils;
import org.apache.maven.artifact.versioning.ComparableVersion;
import org.apache.maven.model.Model;
import org.apache.maven.model.building.DefaultModelBuildingRequest;
import org.apache.maven.model.building.ModelBuildingRequest;
import org.apache.maven.model.validation.DefaultModelValidator;
import org.apache.maven.model.validation.ModelValidator;

class Driver {
    static final Set<String> BELOW = Set.of("alpha", "beta", "milestone", "rc", "snapshot");
    static final ModelValidator VALIDATOR = new DefaultModelValidator(null);
    static final ModelBuildingRequest REQUEST = new DefaultModelBuildingRequest()
        .setValidationLevel(ModelBuildingRequest.VALIDATION_LEVEL_MAVEN_3_1);

    static boolean isProjectVersion(String version) {
        Model model = new Model();
        model.setModelVersion("4.0.0");
        model.setGroupId("g");
        model.setArtifactId("a");
        model.setVersion(version);
        boolean[] valid = {true};
        VALIDATOR.validateEffectiveModel(model, REQUEST, problem -> {
            String message = problem.getMessage(); // the form of a snapshot is advice
            if (message.startsWith("'version'") && !message.contains("snapshot version format")) {
                valid[0] = false;
            }
        });
        return valid[0];
    }

    static boolean isPrerelease(String version) {
        String[] items = new ComparableVersion(version).getCanonical().split("[.-]");
        return ArtifactUtils.isSnapshot(version) || Arrays.stream(items).anyMatch(BELOW::contains);
    }

    static String text(String encoded) {
        return new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println(ComparableVersion.class.getPackage().getImplementationVersion());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            String[] words = line.split(" ", -1);
            String one = text(words[1]);
            if (words[0].equals("read")) {
                System.out.println(isProjectVersion(one) ? isPrerelease(one) : "-");
            } else {
                ComparableVersion two = new ComparableVersion(text(words[2]));
                System.out.println(Integer.signum(new ComparableVersion(one).compareTo(two)));
            }
        }
    }
}
